"""Replies of real servers, and what each of them means. From the providers' manuals, bug reports and bounce archives.

Sender is shop@shop.example, recipient bob@dest.example. A line: whose reply, answer to which step, the reply, and the
outcome in words: kind, fault, then `sender` (it is about the sender only), `unsupported`, or the seconds to wait.
"""
# ruff: noqa: E501 - one reply, one line

from secondpost.wire.blame import Step
from secondpost.wire.reply import Replies

GREETING, HELLO, STARTTLS, AUTH = Step.GREETING, Step.HELLO, Step.STARTTLS, Step.AUTH
MAIL, RCPT, DATA, DOT = Step.MAIL, Step.RCPT, Step.DATA, Step.DOT

CORPUS: list[tuple[str, Step, str, str]] = [
    # ── before the log-in: unreachable, whatever they say ───────────────────────────────────────────────────────────
    ("postfix", GREETING, "421 4.3.2 All server ports are busy", "deferred unreachable"),
    ("postfix", GREETING, "554 mx.example ESMTP not accepting messages", "deferred unreachable"),
    ("any", GREETING, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "deferred unreachable"),
    ("microsoft", GREETING, "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission channel", "deferred unreachable"),
    ("exim", HELLO, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", "deferred unreachable"),
    ("any", STARTTLS, "454 4.7.0 TLS not available due to local problem", "deferred unreachable"),
    # ── log-in ──────────────────────────────────────────────────────────────────────────────────────────────────────
    ("gmail", AUTH, "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp", "deferred account"),
    ("gmail", AUTH, "534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp", "deferred account"),
    ("gmail", AUTH, "454 4.7.0 Too many login attempts, please try again later. - gsmtp", "deferred limit"),
    ("microsoft", AUTH, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled", "deferred account"),
    ("microsoft", AUTH, "535 5.7.3 Authentication unsuccessful [PR0P264CA0203.FRAP264.PROD.OUTLOOK.COM]", "deferred account"),
    ("microsoft", AUTH, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "deferred limit"),
    ("ses", AUTH, "535 Authentication Credentials Invalid", "deferred account"),
    ("sendgrid", AUTH, "535 Authentication failed: Bad username / password", "deferred account"),
    ("sendgrid", AUTH, "451 Authentication failed: Maximum credits exceeded", "deferred limit"),
    ("brevo", AUTH, "525 5.7.1 Unauthorized IP address", "deferred account"),
    ("brevo", AUTH, "502 5.7.0 Your SMTP account is not yet activated. Contact us at contact@brevo.com", "deferred account"),
    ("postfix", AUTH, "454 4.7.0 Temporary authentication failure: Connection lost to authentication server", "deferred unreachable"),
    ("any", AUTH, "530 5.7.0 Must issue a STARTTLS command first", "deferred account"),
    ("any", AUTH, "538 5.7.11 Encryption required for requested authentication mechanism", "deferred account"),
    ("msndr", AUTH, "550 Too many messages. Try again in 92 seconds.", "deferred account"),
    # ── MAIL FROM: the account, or this sender ──────────────────────────────────────────────────────────────────────
    ("postfix", MAIL, "530 5.7.0 Must issue a STARTTLS command first", "rejected account"),
    ("gmail", MAIL, "530-5.7.0 Authentication Required. For more information, go to\n530 5.7.0  https://support.google.com/mail/?p=WantAuthError - gsmtp", "rejected account"),
    ("microsoft", MAIL, "530 5.7.57 Client not authenticated to send mail. [LO4P123CA0001.GBRP123.PROD.OUTLOOK.COM]", "rejected account"),
    ("sendgrid", MAIL, "550 The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved. Visit https://sendgrid.com/docs/for-developers/sending-email/sender-identity/", "rejected account sender"),
    ("sendgrid", MAIL, "550 Unauthenticated senders not allowed", "rejected account sender"),
    ("plunk", MAIL, "550 This domain is not associated with your account", "rejected account sender"),
    ("postfix", MAIL, "450 4.1.8 <shop@shop.example>: Sender address rejected: Domain not found", "deferred account sender"),
    ("postfix", MAIL, "553 5.7.1 <shop@shop.example>: Sender address rejected: not owned by user api", "rejected account sender"),
    ("postfix", MAIL, "552 5.3.4 Message size exceeds fixed limit", "rejected message unsupported"),
    ("postfix", MAIL, "452 4.3.1 Insufficient system storage", "deferred provider"),
    ("postfix", MAIL, "503 5.5.1 Error: nested MAIL command", "rejected provider"),
    ("exim", MAIL, "550-Verification failed for <shop@shop.example>\n550-Previous (cached) callout verification failure\n550 Invalid sender <shop@shop.example>", "rejected account sender"),
    ("exim", MAIL, "555 unsupported parameter", "rejected provider"),
    ("ses", MAIL, "454 Throttling failure: Maximum sending rate exceeded.", "deferred limit"),
    ("ses", MAIL, "454 Throttling failure: Daily message quota exceeded.", "deferred limit"),
    ("emailit", MAIL, "452 4.4.5 Messages per second limit exceeded", "deferred limit"),
    ("microsoft", MAIL, "550 5.7.1 Unfortunately, messages from [204.11.58.44] weren't sent. Please contact your Internet service provider since part of their network is on our block list (AS3150).", "rejected account"),
    ("microsoft", MAIL, "501 5.1.7 Bad sender address syntax", "rejected account sender"),
    ("yahoo", MAIL, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes", "deferred limit"),
    ("yahoo", MAIL, "421 Max message per connection reached, closing transmission channel", "deferred limit"),
    ("yahoo", MAIL, "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html", "rejected account"),
    ("any", MAIL, "550 Administrative prohibition", "rejected account"),
    ("any", MAIL, "421 4.4.2 mx.example Error: timeout exceeded", "deferred provider"),
    ("any", MAIL, "451 4.3.0 Error: queue file write error", "deferred provider"),
    ("any", MAIL, "500 5.5.2 unrecognized command", "rejected provider"),
    # ── RCPT TO ─────────────────────────────────────────────────────────────────────────────────────────────────────
    ("gmail", RCPT, "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550 5.1.1 unnecessary spaces. - gsmtp", "rejected recipient"),
    ("gmail", RCPT, "550 5.2.1 The email account that you tried to reach is disabled. For more information, go to https://support.google.com/mail/?p=DisabledUser - gsmtp", "rejected recipient"),
    ("gmail", RCPT, "552-5.2.2 The recipient's inbox is out of storage space and inactive.\n552 5.2.2 https://support.google.com/mail/?p=OverQuotaPerm - gsmtp", "rejected recipient"),
    ("gmail", RCPT, "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n452 4.2.2 recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp", "deferred recipient"),
    ("gmail", RCPT, "450-4.2.1 The user you are trying to contact is receiving email at a rate that\n450 4.2.1 prevents additional messages from being delivered. - gsmtp", "deferred recipient"),
    ("gmail", RCPT, "450 4.2.1 Peak SMTP relay limit exceeded for this customer. This is a temporary error. - gsmtp", "deferred limit"),
    ("gmail", RCPT, "553 5.1.3 The recipient address <bob@dest..example> is not a valid RFC 5321 address. - gsmtp", "rejected recipient"),
    ("gmail", RCPT, "452 4.5.3 Your message has too many recipients. - gsmtp", "deferred limit 1"),
    ("postfix", RCPT, "550 5.1.1 <bob@dest.example>: Recipient address rejected: User unknown in virtual mailbox table", "rejected recipient"),
    ("postfix", RCPT, "450 4.1.1 <bob@dest.example>: Recipient address rejected: unverified address: Address verification in progress", "deferred recipient"),
    ("postfix", RCPT, "450 4.1.2 <bob@dest.example>: Recipient address rejected: Domain not found", "deferred recipient"),
    ("postfix", RCPT, "454 4.7.1 <bob@dest.example>: Relay access denied", "deferred account"),
    ("postfix", RCPT, "554 5.7.1 <bob@dest.example>: Relay access denied", "rejected account"),
    ("postfix", RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net", "rejected account"),
    ("postfix", RCPT, "450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "deferred account"),
    ("postfix", RCPT, "553 5.7.1 <shop@shop.example>: Sender address rejected: not logged in", "rejected account sender"),
    ("postfix", RCPT, "452 4.5.3 Error: too many recipients", "deferred limit 1"),
    ("postfix", RCPT, "451 4.3.0 <bob@dest.example>: Temporary lookup failure", "deferred provider"),
    ("postfix", RCPT, "451 4.3.5 Server configuration error", "deferred provider"),
    ("postfix", RCPT, "450 4.7.1 Error: too much mail from 192.0.2.1", "deferred limit"),
    ("postgrey", RCPT, "450 4.2.0 <bob@dest.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/dest.example.html", "deferred recipient"),
    ("milter-greylist", RCPT, "451 4.7.1 Greylisting in action, please come back in 00:05:00", "deferred recipient"),
    ("rspamd", RCPT, "451 4.7.1 Try again later", "deferred provider"),
    ("exim", RCPT, "550 Unrouteable address", "rejected recipient"),
    ("exim", RCPT, "550 relay not permitted", "rejected account"),
    ("exim", RCPT, "451 Temporary local problem - please try later", "deferred provider"),
    ("exim", RCPT, "451-192.0.2.1 is not yet authorized to deliver mail from\n451-<shop@shop.example> to <bob@dest.example>.\n451 Please try later.", "deferred recipient"),
    ("exim", RCPT, "450 mailbox busy", "deferred recipient"),
    ("smtp-sink", RCPT, "450 4.3.0 Error: command failed", "deferred provider"),
    ("any", RCPT, "451 Requested action aborted: local error in processing", "deferred provider"),
    ("any", RCPT, "550 No such user here", "rejected recipient"),
    ("any", RCPT, "551 User not local; please try <bob@elsewhere.example>", "rejected recipient"),
    ("any", RCPT, "553 5.1.3 Bad recipient address syntax", "rejected recipient"),
    ("any", RCPT, "550 5.7.1 Recipient not authorized, your IP has been found on a block list", "rejected account"),
    ("cpanel", RCPT, "552 Mailbox size limit exceeded", "rejected recipient"),
    ("cpanel", RCPT, "451 4.7.1 Domain shop.example has exceeded the max emails per hour (100/100 (100%)) allowed. Message will be reattempted later", "deferred limit"),
    ("any", RCPT, "550 <bob@dest.example> is over quota", "rejected recipient"),
    ("any", RCPT, "550 You have exceeded your daily quota", "deferred limit"),
    ("any", RCPT, "503 5.5.1 Error: need MAIL command", "rejected provider"),
    ("microsoft", RCPT, "550 5.4.1 Recipient address rejected: Access denied. [AM7EUR03FT050.eop-EUR03.prod.protection.outlook.com]", "rejected recipient"),
    ("microsoft", RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@dest.example not found by SMTP address lookup", "rejected recipient"),
    ("microsoft", RCPT, "550 5.7.606 Access denied, banned sending IP [185.234.72.45]. To request removal from this list please visit https://sender.office.com/", "rejected account"),
    ("microsoft", RCPT, "451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)", "deferred limit"),
    ("microsoft", RCPT, "550 5.7.64 TenantAttribution; Relay Access Denied", "rejected account"),
    ("microsoft", RCPT, "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", "deferred limit"),
    ("amavis", RCPT, "421 4.7.0 mx.example Error: too many errors", "deferred provider"),
    ("sendgrid", RCPT, "550 5.1.1 Invalid recipient: on suppression list", "rejected recipient"),
    ("yahoo", RCPT, "550 Request failed; Mailbox unavailable", "rejected recipient"),
    ("aiosmtpd", RCPT, "553 Error: \"Too many recipients\"", "rejected recipient"),
    # ── DATA and the dot ────────────────────────────────────────────────────────────────────────────────────────────
    ("postfix", DATA, "554 5.5.1 Error: no valid recipients", "rejected provider"),
    ("any", DATA, "451 4.3.0 Temporary server error", "deferred provider"),
    ("any", DATA, "421 4.3.0 closing", "deferred provider"),
    ("ses", DOT, "554 Message rejected: Email address is not verified. The following identities failed the check in region US-EAST-1: <shop@shop.example>, shop@shop.example", "rejected account sender"),
    ("ses", DOT, "554 Message rejected: Sending suspended for this account. For more information, please check the inbox of the email address associated with your AWS account.", "rejected account"),
    ("ses", DOT, "554 Sending paused for this account. For more information, please check the inbox of the email address associated with your AWS account.", "rejected account"),
    ("ses", DOT, "554 Transaction failed: Missing start boundary", "rejected provider"),
    ("mailgun", DOT, "554 5.7.0 Domain sandbox123.mailgun.org is not allowed to send: Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients", "rejected account sender"),
    ("mailgun", DOT, "421 Domain shop.example is not allowed to send: recipient limit exceeded. Upgrade your account", "deferred limit"),
    ("smtp2go", DOT, "550-From header sender domain not verified.\n550-On your Settings > Sender Domains page\n550 verify the sender domain to be allowed to send.", "rejected account sender"),
    ("resend", DOT, "550 The shop.example domain is not verified. Please, add and verify your domain on https://resend.com/domains", "rejected account sender"),
    ("mailersend", DOT, "550 5.7.1 The from.email domain must be verified in your account to send emails. #MS42207", "rejected account sender"),
    ("mailtrap", DOT, "554 5.7.1 Demo domains can only be used to send emails to account owners", "rejected account"),
    ("postmark", DOT, "550 5.7.1 The 'From' address you supplied (shop@shop.example) is not a Sender Signature on your account. Please add and confirm this address", "rejected account sender"),
    ("sparkpost", DOT, "550 5.7.1 Unconfigured Sending Domain <shop.example>", "rejected account sender"),
    ("brevo", DOT, "550 5.7.1 Sender shop@shop.example is not valid. Validate your sender or authenticate your domain", "rejected account sender"),
    ("gmail", DOT, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to\n550 5.4.5  https://support.google.com/a/answer/166852 - gsmtp", "deferred limit"),
    ("gmail", DOT, "552-5.7.0 This message was blocked because its content presents a potential security issue. Please visit\n552 5.7.0  https://support.google.com/mail/?p=BlockedMessage to review our message content and attachment content guidelines. - gsmtp", "rejected message"),
    ("gmail", DOT, "552-5.2.3 Your message exceeded Google's message size limits. For more information, visit\n552 5.2.3 https://support.google.com/mail/?p=MaxSizeError - gsmtp", "rejected message unsupported"),
    ("gmail", DOT, "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. To protect our\n421 4.7.28 users from spam, mail sent from your IP address has been temporarily rate limited. - gsmtp", "deferred limit"),
    ("gmail", DOT, "550-5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail. To reduce the amount of\n550 5.7.1 spam sent to Gmail, this message has been blocked. - gsmtp", "rejected message"),
    ("gmail", DOT, "550-5.7.26 Unauthenticated email from shop.example is not accepted due to domain's DMARC policy.\n550 5.7.26 Please contact the administrator of shop.example domain. - gsmtp", "rejected account sender"),
    ("gmail", DOT, "451 4.3.0 Mail server temporarily rejected message. - gsmtp", "deferred provider"),
    ("gmail", DOT, "555 5.5.2 Syntax error, goodbye. - gsmtp", "rejected provider"),
    ("microsoft", DOT, "554 5.2.252 SendAsDenied; api@shop.example not allowed to send as shop@shop.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", "rejected account sender"),
    ("microsoft", DOT, "550 5.7.60 SMTP; Client does not have permissions to send as this sender [BY2PR1001MB1094.namprd10.prod.outlook.com]", "rejected account sender"),
    ("microsoft", DOT, "554 5.2.0 STOREDRV.Submission.Exception:OutboundSpamException; Failed to process message due to a permanent exception", "rejected account"),
    ("microsoft", DOT, "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message", "deferred limit"),
    ("microsoft", DOT, "550 5.1.8 Access denied, bad outbound sender AS(42003)", "rejected account sender"),
    ("microsoft", DOT, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. For more information please go to http://go.microsoft.com/fwlink/?LinkId=526653", "rejected account"),
    ("microsoft", DOT, "550 5.7.501 Service unavailable. Access denied, spam abuse detected.", "rejected account"),
    ("microsoft", DOT, "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.", "deferred limit"),
    ("postfix", DOT, "451 4.3.0 Error: queue file write error", "deferred provider"),
    ("postfix", DOT, "552 5.3.4 Error: message file too big", "rejected message unsupported"),
    ("postfix", DOT, "550 5.6.0 improper use of 8-bit data in message header", "rejected message"),
    ("postfix", DOT, "550 5.6.11 Bare <LF> received", "rejected message"),
    ("postfix", DOT, "554 5.7.1 Spam message rejected", "rejected message"),
    ("rspamd", DOT, "554 5.7.1 Gtube pattern", "rejected message"),
    ("amavis", DOT, "554 5.7.0 Reject, id=12345-01 - INFECTED: Eicar-Test-Signature", "rejected message"),
    ("exim", DOT, "550 This message contains a virus (Eicar-Test-Signature).", "rejected message"),
    ("exim", DOT, "552 Message size exceeds maximum permitted", "rejected message unsupported"),
    ("exim", DOT, "550 Administrative prohibition", "rejected provider"),
    ("smtp-sink", DOT, "500 5.3.0 Error: command failed", "rejected provider"),
    ("smtputf8", DOT, "550 5.6.7 SMTPUTF8 is required, but was not offered by host mx.dest.example", "rejected message unsupported"),
    ("lmtp", DOT, "550 5.1.1 <bob@dest.example> User doesn't exist: bob@dest.example", "rejected recipient"),
    ("any", DOT, "552 5.2.2 Mailbox full", "rejected recipient"),
    ("any", DOT, "452 4.2.2 Mailbox full", "deferred recipient"),
    ("any", DOT, "451 4.7.1 Greylisted, please try again in 300 seconds", "deferred recipient 300"),
    ("any", DOT, "550 Rate limit exceeded, try again in 5 minutes", "deferred limit 300"),
    ("any", DOT, "421 4.7.0 Try again later, closing connection.", "deferred provider"),
    ("any", DOT, "554 Transaction failed", "rejected provider"),
    ("any", DOT, "554", "rejected provider"),
]  # fmt: skip


def read(text):
    """A reply written as text with LF."""
    replies = Replies()
    [reply] = replies.feed(text.replace("\n", "\r\n").encode() + b"\r\n")
    return reply


def in_words(outcome):
    """An outcome as the corpus writes it."""
    words = [type(outcome).__name__.lower(), outcome.fault.value]
    words += ["sender"] if outcome.about_sender else []
    if wait := getattr(outcome, "retry_after", None):
        words.append(f"{wait.total_seconds():g}")
    words += ["unsupported"] if getattr(outcome, "unsupported", False) else []
    return " ".join(words)
