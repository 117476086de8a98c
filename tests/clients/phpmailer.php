<?php
// PHPMailer: php phpmailer.php (smtp PORT | sendmail PROGRAM) MARK

require '/usr/share/php/libphp-phpmailer/autoload.php';

[, $way, $where, $mark] = $argv;
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
if ($way === 'smtp') {
    $mail->isSMTP();
    $mail->Host = '127.0.0.1';
    $mail->Port = (int) $where;
} else {
    $mail->isSendmail();
    $mail->Sendmail = $where;
}
$mail->setFrom('shop@example.com', 'Shop');
$mail->addAddress('anna@example.com', 'Anna');
$mail->addBCC('bert@example.com');
$mail->addCustomHeader('X-Test-Id', $mark);
$mail->Subject = $mark;
$mail->Body = "Hello\n.a dot\n";
$mail->send();
