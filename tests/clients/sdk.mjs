// A provider's own SDK, told the gateway's address: node sdk.mjs NAME URL KEY [SECRET]. Prints the id that it was given.

import { SendEmailCommand, SESv2Client } from "@aws-sdk/client-sesv2";
import sendgrid from "@sendgrid/mail";
import Mailgun from "mailgun.js";
import postmark from "postmark";
import { Resend } from "resend";

const [name, url, key, secret] = process.argv.slice(2);
const from = "Shop <shop@example.com>";
const to = "Anna <anna@example.net>";
const subject = "Your order";
const text = "It is on its way.";
const file = Buffer.from("file");

const sdks = {
  async postmark() {
    const client = new postmark.ServerClient(key, { useHttps: false, requestHost: new URL(url).host });
    const Attachments = [new postmark.Models.Attachment("a.txt", file.toString("base64"), "text/plain")];
    return (await client.sendEmail({ From: from, To: to, Subject: subject, TextBody: text, Attachments })).MessageID;
  },
  async sendgrid() {
    sendgrid.setApiKey(key);
    sendgrid.client.setDefaultRequest("baseUrl", url);
    const attachments = [{ content: file.toString("base64"), filename: "a.txt", type: "text/plain" }];
    const [answer] = await sendgrid.send({ from, to, subject, text, attachments });
    return answer.headers["x-message-id"];
  },
  async mailgun() {
    const client = new Mailgun(FormData).client({ username: "api", key, url });
    const attachment = { filename: "a.txt", data: file };
    return (await client.messages.create("example.com", { from, to: [to], subject, text, attachment })).id;
  },
  async "mailgun-mime"() {
    const client = new Mailgun(FormData).client({ username: "api", key, url });
    const parts = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt is on its way.\r\n--b\r\n';
    const end = 'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nfile\r\n--b--\r\n';
    const message = `From: ${from}\r\nTo: ${to}\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n${parts}${end}`;
    return (await client.messages.create("example.com", { from, to: [to], subject, message })).id;
  },
  async resend() {
    const client = new Resend(key, { baseUrl: url });
    const { data, error } = await client.emails.send({
      from, to, subject, text, attachments: [{ filename: "a.txt", content: file }],
    });
    if (error) throw new Error(JSON.stringify(error));
    return data.id;
  },
  async ses() {
    const client = new SESv2Client({
      region: "eu-west-1", endpoint: url, credentials: { accessKeyId: key, secretAccessKey: secret }, maxAttempts: 1,
    });
    const body = { Text: { Data: text } };
    const Attachments = [{ FileName: "a.txt", RawContent: file, ContentType: "text/plain" }];
    const answer = await client.send(new SendEmailCommand({
      FromEmailAddress: from,
      Destination: { ToAddresses: [to] },
      Content: { Simple: { Subject: { Data: subject }, Body: body, Attachments } },
    }));
    return answer.MessageId;
  },
};

try {
  console.log(await sdks[name]());
} catch (error) {
  console.log(String(error.message), JSON.stringify(error));
  process.exitCode = 1;
}
