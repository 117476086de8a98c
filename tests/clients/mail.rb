# Ruby's Mail, which Rails sends by: ruby mail.rb (smtp PORT | sendmail PROGRAM) MARK

require "mail"

way, where, mark = ARGV
message = Mail.new do
  from "Shop <shop@example.com>"
  to "Anna <anna@example.com>"
  bcc "bert@example.com"
  subject mark
  body "Hello\n.a dot\n"
end
message["X-Test-Id"] = mark
if way == "smtp"
  message.delivery_method :smtp, address: "127.0.0.1", port: Integer(where)
else
  message.delivery_method :sendmail, location: where
end
message.deliver!
