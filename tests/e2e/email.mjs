// tests/e2e/email.mjs: mails to a real SMTP server (npm smtp-server), read by a foreign parser (npm
// mailparser), and the andon example of the language whole, with PostgreSQL beside it.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { batch, engines, errors } from './batch.mjs';
import { check, folder, freePort, run, test, Tutti, until } from './lib.mjs';
import { Postgres } from './postgres_server.mjs';
import { certificate, fail, receiver } from './smtp.mjs';

const program = (settings = '') => `connection mail = smtp env("MAIL_URL") { from: "plant@acme.example"${settings} }
pipeline p {
  from stdin as json { who: string(700), subject: string(4000), body: string(8000) }
  into mail "{who}" subject "{subject}" body "{body}"
  on error into dead
}`;

test('a mail arrives as it was written, on every engine', async () => {
  const smtp = await receiver();
  const text = `Grüße\n.\n..dots\n=3D\r\ntrailing \ttab\t\n${'long '.repeat(300)}\nÜ${'ü'.repeat(200)}\n\nend`;
  const subject = `Störung an Presse 7: ${'Überdruck '.repeat(20)}😀`;
  for (const engine of engines) {
    smtp.mails.length = 0;
    const got = await batch(program(), [
      { who: 'shift@acme.example, boss@acme.example', subject, body: text }, { who: 'a@b.example', subject: 'plain', body: '' }], { engine, env: { MAIL_URL: smtp.url } });
    check(got.code === 0 && got.out === '' && got.err === '', `${engine}: ${JSON.stringify(got)}`);
    check(smtp.mails.length === 2, `${engine}: ${smtp.mails.length} mails`);
    const [mail, plain] = smtp.mails;
    check(mail.subject === subject, mail.subject);
    check(mail.text.trimEnd() === text.replace(/\r\n/g, '\n'), JSON.stringify([mail.text, text]));
    check(mail.envelope.rcptTo.map((r) => r.address).join() === 'shift@acme.example,boss@acme.example', JSON.stringify(mail.envelope));
    check(mail.envelope.mailFrom.address === 'plant@acme.example' && mail.from.text === 'plant@acme.example', mail.from.text);
    check(mail.to.text === 'shift@acme.example, boss@acme.example', mail.to.text);
    check(Math.abs(mail.date - Date.now()) < 600000 && /^<[0-9a-f]{32}@acme\.example>$/.test(mail.messageId), `${mail.date} ${mail.messageId}`);
    check(/^[\x09\x0a\x0d\x20-\x7e]*$/.test(mail.raw) && mail.raw.split('\r\n').every((l) => l.length <= 78), 'ASCII, short lines');
    check(plain.raw.includes('\r\nSubject: plain\r\n') && plain.text.trim() === '' && plain.messageId !== mail.messageId, plain.raw);
  }
  await smtp.end();
});

test('no value can add a header or an address', async () => {
  const smtp = await receiver();
  const evil = 'x\r\nBcc: evil@x.example\r\n\r\nbody';
  const got = await batch(program(), [
    { who: 'a@b.example', subject: evil, body: 'x\r\n.\r\nMAIL FROM:<evil@x.example>\r\n' },
    { who: 'a@b.example\r\nBcc: evil@x.example', subject: 's', body: 'b' },
    { who: 'a@b.example> SIZE=1', subject: 's', body: 'b' }, { who: '"a b"@c.example', subject: 's', body: 'b' },
    { who: 'ü@b.example', subject: 's', body: 'b' }, { who: '', subject: 's', body: 'b' }, { who: '@', subject: 's', body: 'b' },
    { who: 'a@-', subject: 's', body: 'b' }, { who: Array(51).fill('a@b.example').join(), subject: 's', body: 'b' },
    { who: 'a@b.example', subject: '=?UTF-8?Q?x?=', body: 'b' }], { env: { MAIL_URL: smtp.url } });
  check(smtp.mails.length === 2, `${smtp.mails.length} mails: ${got.err}`);
  const [mail, word] = smtp.mails;
  check(mail.headers.get('bcc') === undefined && mail.subject === evil.replace(/[\r\n]/g, ' '), JSON.stringify(mail.subject));
  check(mail.envelope.rcptTo.length === 1 && mail.text.startsWith('x\n.\nMAIL FROM'), JSON.stringify(mail.text));
  check(word.subject === '=?UTF-8?Q?x?=', word.subject);
  const dead = errors(got);
  check(dead.length === 8 && dead.every((d) => d.reason === 'sink_conflict' && d.stage === 'email'), got.err);
  check(/`a@b.example. SIZE=1` is no mail address|no mail address/.test(dead[1].message), got.err);
  await smtp.end();
});

test('what the server says decides: later, never, or not these settings', async () => {
  let busy = 2;
  const seen = [];
  const smtp = await receiver({ answer: (kind, value) => {
    if (kind === 'data') seen.push(/Message-ID: (.*)/.exec(value)[1]);
    if (kind === 'data' && busy-- > 0) return fail(451, 'try again');
    if (kind === 'to' && value.startsWith('nobody')) return fail(550, '5.1.1 no such user here');
    return null;
  } });
  const send = (to, settings, url = smtp.url) => batch(program(settings), [{ who: to, subject: 's', body: 'b' }], { env: { MAIL_URL: url, SECRET: 'wrong' } });
  const late = await send('a@b.example');
  check(late.code === 0 && smtp.mails.length === 1 && /into mail: the mail server says 451 try again/.test(late.err), late.err);
  check(seen.length === 3 && new Set(seen).size === 1, 'it is the same mail each time');
  const never = await send('nobody@b.example');
  check(never.code === 0 && smtp.mails.length === 1 && errors(never)[0]?.message === 'the mail server says 550 5.1.1 no such user here', never.err);
  await smtp.end();
  // Each is tried for a while: side by side.
  const locked = await receiver({ authOptional: false, allowInsecureAuth: true });
  const [closed, odd, stays] = await Promise.all([
    send('a@b.example', '', `smtp://127.0.0.1:${await freePort()}`), send('a@b.example', '', 'http://127.0.0.1'),
    send('a@b.example', ', user: "tutti", password: env("SECRET")', locked.url)]);
  check(closed.code === 2 && /into mail: Failed to connect|Couldn't connect/.test(closed.err), closed.err);
  check(odd.code === 2 && /a mail server is smtp:\/\/host:587/.test(odd.err), odd.err);
  check(stays.code === 2 && /the mail server does not let us in: 535/.test(stays.err) && !/wrong/.test(stays.err), stays.err);
  const inside = await send('a@b.example', ', user: "tutti", password: "right"', locked.url);
  check(inside.code === 0 && locked.mails[0].user === 'tutti', inside.err);
  await locked.end();
});

test('TLS is wanted of a server elsewhere, and its name is looked at', async () => {
  const dir = folder();
  const cert = (name) => certificate(dir, name);
  const good = await receiver({ tls: true, ...cert('mail.localhost') });
  const bare = await receiver(), other = await receiver({ tls: true, ...cert('other.example') });
  const send = (port, settings, cwd = dir) => batch(program(settings), [{ who: 'a@b.example', subject: 's', body: 'b' }], { cwd, env: { MAIL_URL: `smtp://mail.localhost:${port}` } });
  // Each is tried for a while: side by side, each in a folder of its own.
  const [open, unknown, wrong] = await Promise.all([send(bare.port, '', folder()), send(good.port, '', folder()), send(other.port, ', ca: "other.example.pem"')]);
  check(open.code === 2 && /STARTTLS|SSL|TLS/.test(open.err) && bare.mails.length === 0, open.err);
  const wanted = await send(bare.port, ', tls: false');
  check(wanted.code === 0 && bare.mails.length === 1, wanted.err);
  check(unknown.code === 2 && /certificate/.test(unknown.err) && good.mails.length === 0, unknown.err);
  const trusted = await send(good.port, ', ca: "mail.localhost.pem"');
  check(trusted.code === 0 && good.mails.length === 1 && good.mails[0].secure, trusted.err);
  check(wrong.code === 2 && other.mails.length === 0, `another name: ${wrong.err}`);
  await Promise.all([good.end(), bare.end(), other.end()]);
});

test('without a mail server rows of e-mails are printed in batch, and refused in a server', async () => {
  const text = 'pipeline p { from stdin as json { n: i32 }  into email "a@b.example" subject "n is {n}" body "{n + 1}"  on error into dead }';
  const got = await batch(text, [{ n: 1 }]);
  check(got.code === 0 && got.out === '{"to":"a@b.example","subject":"n is 1","body":"2"}\n', JSON.stringify(got));
  const smtp = await receiver();
  const sent = await batch(text, [{ n: 1 }], { env: { TUTTI_ENGINE_MAIL_URL: smtp.url, TUTTI_ENGINE_MAIL_FROM: 'x@y.example' } });
  check(sent.code === 0 && sent.out === '' && smtp.mails[0].from.text === 'x@y.example', JSON.stringify(sent));
  await smtp.end();
  const tutti = await Tutti.new();
  await tutti.deploy('p.tutti', text.replace('stdin', 'http post "/p" public'));
  const answer = await fetch(`http://127.0.0.1:${tutti.http}/p`, { method: 'POST', body: '{"n":1}' });
  check(answer.status === 204, `${answer.status}`);
  const { rows } = await tutti.get('pipelines/p/dead');
  check(rows.length === 1 && /no mail server is named: start with TUTTI_ENGINE_MAIL_URL/.test(JSON.stringify(rows)), JSON.stringify(rows));
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

test('errors by mail, and no more mails a minute than were allowed', async () => {
  const smtp = await receiver();
  const tutti = await Tutti.new(['serve'], { env: { MAIL_URL: smtp.url } });
  await tutti.deploy('p.tutti', `connection mail = smtp env("MAIL_URL") { rate: 1 }
pipeline p { from http post "/p" public as json { n: i32 }  where 6 div n > 0  into file "n.ndjson"
  on error into mail "ops@acme.example" subject "{error.pipeline}: {error.reason}" body "{error.message}: {error.raw ?? "?"}" }`);
  const post = (body) => fetch(`http://127.0.0.1:${tutti.http}/p`, { method: 'POST', body }).then((r) => r.status, () => 0);
  check((await post('{"n":1}')) === 204, 'fine');
  await post('{"n":0}');
  await until('a mail', () => smtp.mails.length === 1);
  check(smtp.mails[0].subject === 'p: div_zero' && /division by zero.*: \{"n":0\}/.test(smtp.mails[0].text), JSON.stringify(smtp.mails[0].text));
  check((await tutti.get('pipelines/p/dead')).rows.length === 0, 'the mail is all that happens');
  void post('{"n":"x"}');
  await until('the second waits', async () => (await tutti.get('pipelines/p')).errors === 2);
  check((await tutti.kill('SIGTERM')) === 0, `it stops while one waits: ${tutti.child.out.slice(-3000)}`);
  check(smtp.mails.length === 1, `one a minute: ${JSON.stringify(smtp.mails.map((m) => [m.subject, m.date]))}`);
  await smtp.end();
});

test('the andon of the language, as written', async () => {
  const pg = await Postgres.new();
  pg.sql(`create table operator(station text, name text, phone text); insert into operator values ('s1', 'Ada', '030 1'), ('it''s', 'Bob', null)`);
  const smtp = await receiver();
  const example = readFileSync(path.resolve('examples/andon/erp.tutti'), 'utf8');
  const tutti = await Tutti.new(['serve'], { env: { ERP_URL: pg.url(), TUTTI_ENGINE_MAIL_URL: smtp.url } });
  await tutti.deploy('erp.tutti', example);
  const post = async (body) => {
    const answer = await fetch(`http://127.0.0.1:${tutti.http}/andon`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${tutti.token}` } });
    return `${answer.status} ${await answer.text()}`;
  };
  check((await post({ station: 's1', reason: 'safety door' })) === '202 {"accepted":true,"operator":"Ada"}', 'a mail');
  const [mail] = smtp.mails;
  check(mail.subject === 'Andon s1' && mail.text.trim() === 'Ada: safety door' && mail.envelope.rcptTo[0].address === 'shift@acme.example', mail.raw);
  check((await post({ station: "it's", reason: 'material' })) === '202 {"accepted":true,"operator":"Bob"}', 'a value of the namespace');
  const value = await until('it is there', async () => {
    const { status, body } = await tutti.call('GET', `uns/value/acme/berlin/${encodeURIComponent("it's")}/andon/reason`);
    return status === 200 && body;
  });
  check(/material/.test(JSON.stringify(value)) && smtp.mails.length === 1, JSON.stringify(value));
  check((await post({ station: 'nowhere', reason: 'x' })) === '503 {"accepted":false,"reason":"erp_down"}', 'nobody there');
  await pg.down();
  check((await post({ station: 's1', reason: 'x' })) === '503 {"accepted":false,"reason":"erp_down"}', 'no database');
  await pg.up();
  await until('back', async () => (await post({ station: 's1', reason: 'y' })).startsWith('202'));
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
  await smtp.end();
  await pg.end();
});

test('the nightly report of the language, as written', async () => {
  const example = readFileSync(path.resolve('examples/andon/erp.tutti'), 'utf8');
  const tutti = await Tutti.new(['serve'], { env: { ERP_URL: 'postgres://127.0.0.1:1/x' } });
  await tutti.deploy('keep.tutti', `pipeline keep { from http post "/k" public as json { machine: string(16), start: time, power: f64 }
    into historian press_10s key (machine, start)  reply 200 { machine: machine }  on error drop }`);
  const now = Date.now();
  for (const [machine, ago, power] of [['m1', 1, 10], ['m1', 2, 20], ['m2', 3, 5], ['m1', 25, 1000]]) {
    const body = JSON.stringify({ machine, start: new Date(now - ago * 3600000).toISOString(), power });
    check((await fetch(`http://127.0.0.1:${tutti.http}/k`, { method: 'POST', body })).status === 200, machine);
  }
  await tutti.deploy('erp.tutti', example);
  check((await tutti.call('POST', 'pipelines/nightly_report/trigger', {})).status === 200, 'now');
  // Its name has the day of the trigger: this one, or the next when midnight came meanwhile.
  const report = () => readdirSync(tutti.cwd).find((name) => /^report-\d{4}-\d\d-\d\d\.csv$/.test(name));
  const text = () => report() ? readFileSync(path.join(tutti.cwd, report()), 'utf8') : '';
  await until('the whole report', () => text() === 'machine,kw\nm1,15\nm2,5\n').catch((e) => check(false, `${e.message}: ${text()}`));
  const days = [now, Date.now()].map((t) => `report-${new Date(t).toISOString().slice(0, 10)}.csv`);
  check(days.includes(report()), `${report()} of ${days}`);
  check((await tutti.kill('SIGTERM')) === 0, 'it stops');
});

await run();
