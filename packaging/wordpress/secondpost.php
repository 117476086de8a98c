<?php
/**
 * Plugin Name: Secondpost
 * Description: WordPress's mail goes through Secondpost: when one provider fails, the backup carries it.
 * License: Apache-2.0
 *
 * Put this file into wp-content/mu-plugins. In wp-config.php, where the gateway is not on this machine's port 2525:
 *
 *     define('SECONDPOST_HOST', 'mail.example.com');
 *     define('SECONDPOST_PORT', 587);
 *     define('SECONDPOST_USERNAME', 'shop');      // with these two, by STARTTLS
 *     define('SECONDPOST_PASSWORD', 'sp_…');
 *
 * Rule: it changes how mail leaves and nothing about it. Who sends, key and priority are fields that the gateway removes.
 */

namespace Secondpost;

use PHPMailer\PHPMailer\PHPMailer;

defined('ABSPATH') || exit;

const MEMORY = 'secondpost_';  // a transient for each message whose last try failed

/** The message under way: what it is known by, and its idempotency key. */
final class Underway
{
    public static string $id = '';
    public static string $key = '';
}

/** The gateway as PHPMailer's server, and the fields that it reads. */
function prepare(PHPMailer $mailer): void
{
    $mailer->isSMTP();
    $mailer->Host = setting('SECONDPOST_HOST', '127.0.0.1');
    $mailer->Port = (int) setting('SECONDPOST_PORT', 2525);
    $mailer->Username = setting('SECONDPOST_USERNAME', '');
    $mailer->Password = setting('SECONDPOST_PASSWORD', '');
    $mailer->SMTPAuth = $mailer->Username !== '';
    $mailer->SMTPAutoTLS = false;
    $mailer->SMTPSecure = $mailer->SMTPAuth ? PHPMailer::ENCRYPTION_STARTTLS : '';
    $mailer->Timeout = 30;
    add_field($mailer, 'Secondpost-Initiator', initiator());
    add_field($mailer, 'Secondpost-Idempotency-Key', key_of($mailer));
}

function setting(string $name, string|int $else): string|int
{
    return defined($name) ? constant($name) : $else;
}

/** Unless the caller of wp_mail() gave one. */
function add_field(PHPMailer $mailer, string $name, string $value): void
{
    $given = array_map('strtolower', array_column($mailer->getCustomHeaders(), 0));
    if ($value !== '' && !in_array(strtolower($name), $given, true)) {
        $mailer->addCustomHeader($name, $value);
    }
}

/** Who called wp_mail(): plugin:woocommerce, theme:storefront, or wordpress. */
function initiator(): string
{
    foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS) as $frame) {
        if ($frame['function'] === 'wp_mail') {
            return owner_of($frame['file'] ?? '');
        }
    }
    return '';
}

function owner_of(string $file): string
{
    $places = ['plugin' => WP_PLUGIN_DIR, 'mu-plugin' => WPMU_PLUGIN_DIR, 'theme' => get_theme_root()];
    foreach ($places as $kind => $folder) {
        $folder = (realpath($folder) ?: $folder) . DIRECTORY_SEPARATOR;
        if (str_starts_with($file, $folder)) {
            return "$kind:" . basename(strtok(substr($file, strlen($folder)), '/\\'), '.php');
        }
    }
    return 'wordpress';
}

/**
 * A new key, or that of the same message's last try if it failed: the gateway may have taken the message, and only its
 * answer was lost. A message of several parts gets none: PHPMailer writes it otherwise each time.
 */
function key_of(PHPMailer $mailer): string
{
    Underway::$id = Underway::$key = '';
    if ($mailer->getAttachments() || $mailer->AltBody !== '') {
        return '';
    }
    $parts = [$mailer->From, $mailer->getAllRecipientAddresses(), $mailer->Subject, $mailer->ContentType, $mailer->Body];
    Underway::$id = hash('sha256', serialize($parts));
    Underway::$key = get_transient(MEMORY . Underway::$id) ?: wp_generate_uuid4();
    return Underway::$key;
}

function failed(): void
{
    if (Underway::$id !== '') {
        set_transient(MEMORY . Underway::$id, Underway::$key, DAY_IN_SECONDS);
    }
    Underway::$id = '';
}

function succeeded(): void
{
    if (Underway::$id !== '') {
        delete_transient(MEMORY . Underway::$id);
    }
    Underway::$id = '';
}

/** Somebody waits for it. */
function urgent(array $email): array
{
    $headers = $email['headers'] ?? [];
    $headers = is_array($headers) ? $headers : explode("\n", $headers);
    return ['headers' => [...array_filter($headers), 'Secondpost-Priority: urgent']] + $email;
}

add_action('phpmailer_init', __NAMESPACE__ . '\prepare', 1000);  // behind what other plug-ins set
add_action('wp_mail_failed', __NAMESPACE__ . '\failed');
add_action('wp_mail_succeeded', __NAMESPACE__ . '\succeeded');
add_filter('retrieve_password_notification_email', __NAMESPACE__ . '\urgent');
