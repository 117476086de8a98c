// Nodemailer: node nodemailer.mjs (smtp PORT | sendmail PROGRAM) MARK

import nodemailer from "nodemailer";

const [way, where, mark] = process.argv.slice(2);
const transport = nodemailer.createTransport(
  way === "smtp" ? { host: "127.0.0.1", port: Number(where), secure: false } : { sendmail: true, path: where },
);
await transport.sendMail({
  from: "Shop <shop@example.com>",
  to: "Anna <anna@example.com>",
  bcc: "bert@example.com",
  subject: mark,
  headers: { "X-Test-Id": mark },
  text: "Hello\n.a dot\n",
});
