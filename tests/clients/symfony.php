<?php
// Symfony Mailer, which Laravel sends by, too: php symfony.php (smtp PORT | sendmail "PROGRAM FLAGS") MARK

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';

use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mime\Email;

[, $way, $where, $mark] = $argv;
$dsn = $way === 'smtp' ? "smtp://127.0.0.1:$where" : 'sendmail://default?command=' . rawurlencode($where);
$email = (new Email())
    ->from('Shop <shop@example.com>')
    ->to('Anna <anna@example.com>')
    ->bcc('bert@example.com')
    ->subject($mark)
    ->text("Hello\n.a dot\n");
$email->getHeaders()->addTextHeader('X-Test-Id', $mark);
(new Mailer(Transport::fromDsn($dsn)))->send($email);
