// tests/e2e/smtp.mjs: a mail server (npm smtp-server) whose mails are read by a foreign parser (npm
// mailparser), and certificates for servers.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SMTPServer } from 'smtp-server';
import { simpleParser } from 'mailparser';

// `answer(kind, value)` may return an error for a sender ('from'), recipient ('to') or mail ('data').
export async function receiver({ answer = () => null, ...options } = {}) {
  const mails = [];
  const refuse = (kind, value, done) => done(answer(kind, value) ?? undefined);
  const server = new SMTPServer({
    authOptional: true, disabledCommands: options.tls ? [] : ['STARTTLS'], logger: false, ...options,
    onMailFrom: (address, session, done) => refuse('from', address.address, done),
    onRcptTo: (address, session, done) => refuse('to', address.address, done),
    onAuth: (auth, session, done) => auth.username === 'tutti' && auth.password === 'right'
      ? done(null, { user: 'tutti' }) : done(Object.assign(new Error('no such user'), { responseCode: 535 })),
    onData: (stream, session, done) => {
      const parts = [];
      stream.on('data', (d) => parts.push(d));
      stream.on('end', async () => {
        const raw = Buffer.concat(parts).toString('latin1');
        const wrong = answer('data', raw);
        if (!wrong) mails.push({ raw, envelope: session.envelope, secure: session.secure, user: session.user, ...(await simpleParser(Buffer.concat(parts))) });
        done(wrong ?? null, 'kept');
      });
    },
  });
  server.on('error', () => {}); // of clients that break off
  await new Promise((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
  const { port } = server.server.address();
  return { mails, port, url: `smtp://127.0.0.1:${port}`, end: () => new Promise((done) => server.close(done)) };
}
export const fail = (code, text) => Object.assign(new Error(text), { responseCode: code });

// Self-signed, in `dir`/NAME.pem and NAME.key.
export function certificate(dir, name) {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', `${name}.key`,
    '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`], { cwd: dir, stdio: 'ignore' });
  return { key: readFileSync(path.join(dir, `${name}.key`)), cert: readFileSync(path.join(dir, `${name}.pem`)) };
}
