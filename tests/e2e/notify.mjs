// tests/e2e/notify.mjs: alarms told by e-mail, MQTT and webhook: to a real SMTP server, a client of
// npm's mqtt, and an HTTP(S) server that checks the signature with node:crypto.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import mqtt from 'mqtt';
import { build, check, folder, freePort, run, start, test, Tutti, until } from './lib.mjs';
import { certificate, fail, receiver } from './smtp.mjs';

const secret = 'a-key-of-the-signature-42', token = 'Bearer very-secret-token';
const quick = { TUTTI_UNS_NOTIFY_RETRY: '20ms', TUTTI_UNS_NOTIFY_RETRY_MAX: '100ms' };

// What docs/alarms.md tells a receiver to do.
function signed(headers, body, key = secret) {
  const [, time, mark] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['tutti-signature'] ?? '') ?? [];
  if (!time || Math.abs(Date.now() / 1000 - Number(time)) > 300) return false;
  return timingSafeEqual(createHmac('sha256', key).update(`${time}.${body}`).digest(), Buffer.from(mark, 'hex'));
}

// `answer(request)` gives the status; null: the connection is broken off.
async function hook({ answer = () => 204, port = 0, tls = null } = {}) {
  const got = [], seen = [];
  const take = (request, response) => {
    const parts = [];
    request.on('data', (d) => parts.push(d));
    request.on('end', () => {
      const raw = Buffer.concat(parts).toString();
      const one = { at: Date.now(), headers: request.headers, raw, signed: signed(request.headers, raw), ...JSON.parse(raw) };
      seen.push(one);
      const status = self.answer(one);
      if (status === null) return request.socket.destroy();
      if (status === 0) return;
      if (status < 300) got.push(one);
      response.writeHead(status).end(status < 300 ? '' : 'not today');
    });
  };
  const server = tls ? https.createServer(tls, take) : http.createServer(take);
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  const self = { got, seen, answer, port: server.address().port };
  self.alarms = () => got.flatMap((one) => one.alarms);
  self.end = () => new Promise((done) => { server.close(done); server.closeAllConnections(); });
  return self;
}

async function put(tutti, where, body, want = 200) {
  const { status, body: answer } = await tutti.call('PUT', `alarms/${where}`, body);
  check(status === want, `PUT ${where}: ${status} ${JSON.stringify(answer)}`);
  return answer.error?.text ?? '';
}
const value = async (tutti, where, v) => {
  const { status, body } = await tutti.call('POST', 'uns/publish', { path: where, value: v });
  check(status === 200, JSON.stringify(body));
};
const act = async (tutti, name, where, more = {}) => {
  const { body } = await tutti.call('POST', 'alarms/act', { act: name, alarms: [{ rule: 'hot', path: where }], ...more });
  check(body.done === 1, `${name}: ${JSON.stringify(body)}`);
};
const target = async (tutti, name) => (await tutti.get('alarms/targets')).targets.find((each) => each.name === name);
const journal = async (tutti) => (await tutti.get('alarms/journal?limit=2000')).entries;
const hot = (tutti) => put(tutti, 'rules/hot', { on: 'plant/+/temp', when: { above: 80 }, priority: 'high', message: '{path} is at {value} °C', action: 'Open the valve' });
const webhook = (tutti, name, h, more = {}) =>
  put(tutti, `targets/${name}`, { kind: 'webhook', url: `http://127.0.0.1:${h.port}/in?x=1`, secret, headers: { Authorization: token }, group_ms: 0, ...more });

async function client(tutti) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { protocolVersion: 5, reconnectPeriod: 0 });
  c.got = [];
  c.on('message', (topic, payload, packet) => c.got.push({ topic, retain: packet.retain, qos: packet.qos, ...JSON.parse(payload) }));
  await new Promise((resolve, reject) => { c.on('connect', resolve); c.on('error', reject); });
  return c;
}
const gone = (c) => new Promise((resolve) => c.end(true, {}, resolve));

test('one alarm by e-mail, MQTT and webhook: raised, acknowledged, cleared', async () => {
  const smtp = await receiver(), h = await hook();
  const tutti = await Tutti.new(['serve'], { env: { ...quick, TUTTI_ENGINE_MAIL_URL: smtp.url, TUTTI_ENGINE_MAIL_FROM: 'plant@acme.example' } });
  const c = await client(tutti);
  await c.subscribeAsync('alarms/#', { qos: 2 });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'targets/shift', { kind: 'email', to: 'shift@acme.example, boss@acme.example', group_ms: 0 });
  await put(tutti, 'targets/bus', { kind: 'mqtt', topic: 'alarms/{priority}/{path}', retain: true });
  await put(tutti, 'routes/all', { to: ['erp', 'shift', 'bus'], when: ['raised', 'acknowledged', 'cleared'] });
  await value(tutti, 'plant/a/temp', 90.5);
  await until('three of the first', () => h.got.length === 1 && smtp.mails.length === 1 && c.got.length === 1);
  await act(tutti, 'acknowledge', 'plant/a/temp', { text: 'on my way' });
  await until('three of the second', () => h.got.length === 2 && smtp.mails.length === 2 && c.got.length === 2);
  await value(tutti, 'plant/a/temp', 20);
  await until('three of the third', () => h.got.length === 3 && smtp.mails.length === 3 && c.got.length === 3);

  check(h.got.every((one) => one.signed && one.headers.authorization === token && one.version === 1 && one.target === 'erp' && !one.test && one.count === 1), JSON.stringify(h.got));
  check(h.got.every((one) => one.headers['tutti-delivery'] === one.id) && new Set(h.got.map((one) => one.id)).size === 3, 'ids');
  const [first, second, third] = h.alarms();
  const { id, time, raised, ...rest } = first;
  check(Number.isInteger(id) && Math.abs(time - Date.now()) < 60000 && raised === time, JSON.stringify(first));
  const want = { event: 'raised', rule: 'hot', path: 'plant/a/temp', name: 'temp', priority: 'high', state: 'unacknowledged', value: 90.5,
    message: 'plant/a/temp is at 90.5 °C', action: 'Open the valve', who: '', text: '', route: 'all', number: 1 };
  check(JSON.stringify(rest) === JSON.stringify(want), JSON.stringify(rest));
  check(second.event === 'acknowledged' && second.state === 'acknowledged' && second.text === 'on my way' && second.who !== '', JSON.stringify(second));
  check(third.event === 'cleared' && third.state === 'normal' && third.value === 20 && third.raised === raised, JSON.stringify(third));

  check(c.got.every((m, i) => m.topic === 'alarms/high/plant/a/temp' && m.qos === 1 && m.event === h.alarms()[i].event), JSON.stringify(c.got));
  // A notice is a message: neither names of its fields in the namespace, nor a history of them.
  check((await tutti.get('uns?depth=0')).nodes.every((node) => !node.path.startsWith('alarms')), 'no names of notices');
  const late = await client(tutti);
  await late.subscribeAsync('alarms/#');
  await until('the retained one', () => late.got.length === 1);
  check(late.got[0].retain && late.got[0].event === 'cleared', JSON.stringify(late.got));

  const [mail] = smtp.mails;
  check(mail.subject === 'high raised: plant/a/temp is at 90.5 °C', mail.subject);
  check(mail.envelope.rcptTo.length === 2 && mail.envelope.mailFrom.address === 'plant@acme.example', JSON.stringify(mail.envelope));
  for (const word of ['raised, high: plant/a/temp is at 90.5 °C', 'where: plant/a/temp', 'alarm: hot', 'what to do: Open the valve', 'value: 90.5'])
    check(mail.text.includes(word), `${word} in ${mail.text}`);
  check(smtp.mails[1].text.includes('reason: on my way'), smtp.mails[1].text);

  const told = await until('nine entries', async () => { const t = (await journal(tutti)).filter((e) => e.target); return t.length === 9 && t; });
  check(told.every((e) => e.delivered && e.from === e.to && e.rule === 'hot'), JSON.stringify(told));
  check((await tutti.get('alarms/stats')).ten_minutes === 1, 'being told is no alarm');
  await Promise.all([gone(c), gone(late), smtp.end(), h.end()]);
});

test('servers that are away: what waits is told when they are back, also after kill -9', async () => {
  const h = { port: await freePort() }, mailPort = await freePort();
  const tutti = await Tutti.new(['serve'], { env: { ...quick, TUTTI_ENGINE_MAIL_URL: `smtp://127.0.0.1:${mailPort}` } });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'targets/shift', { kind: 'email', to: 'shift@acme.example', group_ms: 0 });
  await put(tutti, 'routes/all', { to: ['erp', 'shift'] });
  await value(tutti, 'plant/a/temp', 90);
  const down = await until('some tries', async () => { const t = await target(tutti, 'erp'); return t.state.failures > 2 && t; });
  check(down.state.queued === 1 && !down.state.working && /connect/i.test(down.state.error) && down.state.last_error > 0 && !down.state.last_success, JSON.stringify(down));
  check((await target(tutti, 'shift')).state.queued === 1, 'the mail waits, too');
  await value(tutti, 'plant/b/temp', 91);
  await until('both wait', async () => (await target(tutti, 'erp')).state.queued === 2);
  await tutti.kill('SIGKILL');
  await tutti.up();
  check((await target(tutti, 'erp')).state.queued === 2, 'they wait after the kill');
  await value(tutti, 'plant/c/temp', 92);
  const back = await hook({ port: h.port }), smtp = await receiver({ port: mailPort });
  await until('all three by web', () => back.alarms().length === 3);
  await until('all three by mail', () => smtp.mails.length >= 2 || /^3 alarms/.test(smtp.mails[0]?.subject ?? ''));
  check(back.alarms().map((a) => a.path).join() === 'plant/a/temp,plant/b/temp,plant/c/temp', JSON.stringify(back.alarms()));
  check(back.seen.every((one) => one.signed), 'signed after the restart, too');
  const up = await until('nothing waits', async () => { const t = await target(tutti, 'erp'); return t.state.queued === 0 && t; });
  check(up.state.working && up.state.last_success > up.state.last_error, JSON.stringify(up));
  check((await journal(tutti)).filter((e) => e.target === 'erp' && e.delivered).length === 3, 'in the journal');
  await Promise.all([back.end(), smtp.end()]);
});

test('kill -9 between raise and delivery, again and again: told at least once', async () => {
  const h = await hook({ answer: () => null });
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'] });
  const want = [];
  for (let round = 0; round < 4; round++) {
    const paths = [0, 1, 2].map((i) => `plant/${round}_${i}/temp`);
    for (const each of paths) await value(tutti, each, 99);
    want.push(...paths);
    // The list says that it is raised; an operator's act is answered when all before is on the disk.
    await act(tutti, 'shelve', paths[0], { text: 'x', until: Date.now() + 600000 });
    await tutti.kill('SIGKILL');
    await tutti.up();
  }
  h.answer = () => 200;
  await until('all', () => want.every((each) => h.alarms().some((a) => a.path === each)));
  const ids = h.alarms().map((a) => a.id);
  check(new Set(ids).size === want.length, 'one id an alarm');
  await h.end();
});

test('a stop does not wait for a receiver that does not answer, and loses nothing', async () => {
  const h = await hook({ answer: () => 0 }); // 0: never
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'] });
  await value(tutti, 'plant/a/temp', 90);
  // A request is given up after 10 s. The machine may be busy: of several stops one has to be well before that.
  for (let tries = 1, quickest = Infinity; quickest > 8000; tries++) {
    await until('it is on its way', () => h.seen.length === tries);
    const begin = Date.now();
    check((await tutti.kill('SIGTERM')) === 0, `it stops: ${tutti.child.out.slice(-2000)}`);
    quickest = Date.now() - begin;
    check(quickest <= 8000 || tries < 5, `after ${quickest} ms`);
    if (quickest > 8000) await tutti.up();
  }
  h.answer = () => 200;
  await tutti.up();
  await until('it comes', () => h.got.length === 1);
  check(h.got[0].alarms[0].id === h.seen[0].alarms[0].id, 'the same one');
  await h.end();
});

test('chatter within the delay is not told, what stays is, once', async () => {
  const h = await hook();
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/slow', { to: ['erp'], delay_ms: 5000, when: ['raised', 'cleared'] });
  await put(tutti, 'routes/at_once', { on: 'plant/mark/temp', to: ['erp'] });
  for (let i = 0; i < 30; i++) {
    await value(tutti, 'plant/a/temp', 90);
    await value(tutti, 'plant/a/temp', 10);
  }
  await value(tutti, 'plant/b/temp', 90); // raised after the chatter: told when that would have been
  await until('the one that stays', () => h.alarms().length === 1);
  await value(tutti, 'plant/mark/temp', 90);
  await until('the mark', () => h.alarms().some((a) => a.path === 'plant/mark/temp'));
  check(h.alarms().map((a) => `${a.event} ${a.path}`).join() === 'raised plant/b/temp,raised plant/mark/temp', JSON.stringify(h.alarms()));
  check((await journal(tutti)).filter((e) => e.path === 'plant/a/temp').length >= 60, 'the journal has all of it');
  await h.end();
});

test('repeated until acknowledged, escalated, over a restart', async () => {
  const h = await hook(), boss = await hook();
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await webhook(tutti, 'boss', boss);
  await put(tutti, 'routes/all', { to: ['erp'], repeat_ms: 150, repeat_max: 1000, escalate_ms: 700, escalate_to: 'boss' });
  await value(tutti, 'plant/a/temp', 90);
  await until('two repeats', () => h.alarms().length >= 3);
  check(h.alarms().map((a) => `${a.event} ${a.number}`).join().startsWith('raised 1,repeated 2,repeated 3'), JSON.stringify(h.alarms()));
  await tutti.kill('SIGKILL');
  await tutti.up();
  await until('the boss', () => boss.alarms().some((a) => a.event === 'escalated'));
  const after = boss.seen[0].at - h.alarms()[0].raised;
  check(after >= 700, `not before 700 ms: ${after}`);
  await until('the boss again', () => boss.alarms().some((a) => a.event === 'repeated'));
  await act(tutti, 'acknowledge', 'plant/a/temp');
  const quiet = await until('the queue is empty', async () => { const s = await tutti.get('alarms/targets'); return s.targets.every((t) => t.state.queued === 0) && s; });
  const told = () => [...h.alarms(), ...boss.alarms()].filter((a) => a.path === 'plant/a/temp').length;
  const count = told();
  check(quiet.calls === 0, JSON.stringify(quiet.calls));
  await value(tutti, 'plant/b/temp', 90);
  await until('another one', () => h.alarms().filter((a) => a.path === 'plant/b/temp').length >= 3);
  check(told() === count, 'nothing after it was acknowledged');
  await Promise.all([h.end(), boss.end()]);
});

test('shelved, suppressed and out of service: nobody is told', async () => {
  const h = await hook();
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'], when: ['raised', 'cleared'] });
  for (const each of ['a', 'b', 'c', 'd']) await value(tutti, `plant/${each}/temp`, 1);
  await act(tutti, 'shelve', 'plant/a/temp', { text: 'x', until: Date.now() + 600000 });
  await act(tutti, 'suppress', 'plant/b/temp');
  await act(tutti, 'remove-from-service', 'plant/c/temp');
  for (const v of [90, 10, 90]) for (const each of ['a', 'b', 'c']) await value(tutti, `plant/${each}/temp`, v);
  await value(tutti, 'plant/d/temp', 90);
  await until('the fourth', () => h.alarms().length === 1);
  check(h.alarms()[0].path === 'plant/d/temp', JSON.stringify(h.alarms()));
  await act(tutti, 'unshelve', 'plant/a/temp');
  await until('what still holds', () => h.alarms().length === 2);
  check(h.alarms()[1].path === 'plant/a/temp' && h.alarms()[1].event === 'raised', JSON.stringify(h.alarms()[1]));
  await h.end();
});

test('a flood is one mail', async () => {
  const smtp = await receiver();
  const tutti = await Tutti.new(['serve'], { env: { ...quick, TUTTI_ENGINE_MAIL_URL: smtp.url } });
  await put(tutti, 'rules/hot', { on: 'plant/#', when: { above: 80 }, priority: 'low' });
  await put(tutti, 'rules/worst', { on: 'plant/t17', when: { above: 80 }, priority: 'critical', message: 'fire' });
  await put(tutti, 'targets/shift', { kind: 'email', to: 'shift@acme.example', group_ms: 1200 });
  await put(tutti, 'routes/all', { to: ['shift'] });
  const begin = Date.now();
  await value(tutti, 'plant/first', 90);
  await until('the first goes at once', () => smtp.mails.length === 1);
  for (let i = 0; i < 150; i++) await value(tutti, `plant/t${i}`, 90);
  const want = async () => { const t = (await target(tutti, 'shift')).state; return t.queued === 0 && t.delivered === 152 && t; };
  const state = await until('all were told', want);
  const most = 2 + Math.ceil((Date.now() - begin) / 1200); // one for each time they are gathered
  check(smtp.mails.length <= most && state.messages === smtp.mails.length && state.grouped === 152 - smtp.mails.length, JSON.stringify(state));
  const sizes = smtp.mails.slice(1).map((m) => Number(/^(\d+) alarms in \d+ s, most urgent: /.exec(m.subject)?.[1] ?? 1));
  check(sizes.reduce((a, b) => a + b, 0) === 151, JSON.stringify(smtp.mails.map((m) => m.subject)));
  const urgent = smtp.mails.find((m) => m.text.includes('where: plant/t17\n'));
  check(/most urgent: critical raised: fire$/.test(urgent.subject), urgent.subject);
  const long = smtp.mails.find((m) => Number(/^(\d+) alarms/.exec(m.subject)?.[1] ?? 0) > 100);
  if (long) check(/and \d+ more: see the page Alarms/.test(long.text), long.text.slice(-200));
  await until('each is in the journal', async () => (await journal(tutti)).filter((e) => e.target === 'shift').length === 152);
  await smtp.end();
});

test('what a receiver says decides: later, never; too many and too old are dropped and counted', async () => {
  const h = await hook({ answer: () => 503 });
  const tutti = await Tutti.new(['serve'], { env: { ...quick, TUTTI_UNS_NOTIFY_QUEUE_MAX: '10', TUTTI_UNS_NOTIFY_AGE_MAX: '20s' } });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'] });
  for (let i = 0; i < 14; i++) await value(tutti, `plant/${i}/temp`, 90);
  const full = await until('some were dropped', async () => { const t = (await target(tutti, 'erp')).state; return t.dropped + t.queued === 14 && t.error && t; });
  check(full.queued <= 11 && // one more while all are on their way
     /the receiver says 503: not today/.test(full.error), JSON.stringify(full));
  await until('the rest is too old', async () => (await target(tutti, 'erp')).state.expired === full.queued);
  const entries = await until('all are in the journal', async () => { const t = (await journal(tutti)).filter((e) => e.target); return t.length === 14 && t; });
  check( entries.every((e) => !e.delivered), JSON.stringify(entries.slice(0, 2)));
  check(entries.filter((e) => /^dropped: too many wait/.test(e.text)).length === full.dropped && entries.filter((e) => /^given up: too old. the receiver says 503/.test(e.text)).length === full.queued, JSON.stringify(entries));
  h.answer = (one) => (one.alarms.some((a) => a.path === 'plant/bad/temp') ? 422 : 200);
  await value(tutti, 'plant/bad/temp', 90);
  await until('refused', async () => (await target(tutti, 'erp')).state.refused === 1);
  await value(tutti, 'plant/good/temp', 90);
  await until('taken', () => h.alarms().some((a) => a.path === 'plant/good/temp'));
  await h.end();
});

test('a test is sent and answered, with what went wrong', async () => {
  const dir = folder();
  const tls = certificate(dir, 'localhost');
  const h = await hook({ tls }), smtp = await receiver({ answer: (kind, v) => (kind === 'to' && v.startsWith('nobody') ? fail(550, '5.1.1 no such user') : null) });
  const tutti = await Tutti.new(['serve'], { env: { ...quick, TUTTI_ENGINE_MAIL_URL: smtp.url } });
  const send = async (name) => (await tutti.call('POST', `alarms/targets/${name}/test`, {})).body;
  const url = `https://localhost:${h.port}/in`;
  await put(tutti, 'targets/unknown', { kind: 'webhook', url });
  const unknown = await send('unknown');
  check(!unknown.delivered && /certificate/i.test(unknown.error) && h.seen.length === 0, JSON.stringify(unknown));
  await put(tutti, 'targets/known', { kind: 'webhook', url, ca: path.join(dir, 'localhost.pem'), secret });
  const known = await send('known');
  check(known.delivered && h.got.length === 1 && h.got[0].test && h.got[0].signed && h.got[0].alarms[0].event === 'test', JSON.stringify([known, h.got]));
  certificate(dir, 'other.example');
  await put(tutti, 'targets/other', { kind: 'webhook', url, ca: path.join(dir, 'other.example.pem') });
  check(!(await send('other')).delivered && h.seen.length === 1, 'another certificate');
  await put(tutti, 'targets/nowhere', { kind: 'webhook', url: `http://127.0.0.1:${await freePort()}/` });
  const nowhere = await send('nowhere');
  check(!nowhere.delivered && /connect/i.test(nowhere.error), JSON.stringify(nowhere));
  await put(tutti, 'targets/mail', { kind: 'email', to: 'a@b.example' });
  check((await send('mail')).delivered && smtp.mails[0].subject === 'low test: This is a test: nothing is wrong', JSON.stringify(smtp.mails));
  await put(tutti, 'targets/nobody', { kind: 'email', to: 'nobody@b.example' });
  check(/550 5.1.1 no such user/.test((await send('nobody')).error), 'the server\'s words');
  await put(tutti, 'targets/bus', { kind: 'mqtt' });
  const c = await client(tutti);
  await c.subscribeAsync('alarms/test');
  check((await send('bus')).delivered, 'by MQTT');
  await until('it came', () => c.got.length === 1);
  check((await tutti.call('POST', 'alarms/targets/none/test', {})).status === 404, 'no such target');
  await Promise.all([gone(c), h.end(), smtp.end()]);
});

test('the command tells what stands, who is told, and tests it', async () => {
  const h = await hook();
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'] });
  await value(tutti, 'plant/a/temp', 90);
  await until('it came', () => h.got.length === 1);
  const command = async (...words) => {
    const child = start(path.join(build, 'tutti'), ['alarms', ...words, '--to', `http://127.0.0.1:${tutti.http}`], { env: { ...process.env, TUTTI_TOKEN: tutti.token } });
    return [await child.ended, child.out];
  };
  const list = await command();
  check(list[0] === 0 && list[1] === 'high\tunacknowledged\tplant/a/temp\thot\tplant/a/temp is at 90 °C\n', JSON.stringify(list));
  const targets = await until('it was told', async () => { const t = await command('targets'); return /1 told/.test(t[1]) && t; });
  check(targets[0] === 0 && targets[1] === 'erp\twebhook\tworking\t0 waiting\t1 told\t\n', JSON.stringify(targets));
  const good = await command('test', 'erp');
  check(good[0] === 0 && /^erp took it after \d+ ms\n$/.test(good[1]) && h.got[1].test, JSON.stringify(good));
  h.answer = () => 500;
  const bad = await command('test', 'erp');
  check(bad[0] === 1 && bad[1] === 'erp did not take it: the receiver says 500: not today\n', JSON.stringify(bad));
  check((await command('test', 'none'))[0] === 2 && (await command('all'))[0] === 2, 'usage');
  await h.end();
});

test('without a mail server the test and the state say what to do', async () => {
  const tutti = await Tutti.new(['serve'], { env: quick });
  await put(tutti, 'targets/shift', { kind: 'email', to: 'a@b.example' });
  const { body } = await tutti.call('POST', 'alarms/targets/shift/test', {});
  check(!body.delivered && /no mail server is named: start with TUTTI_ENGINE_MAIL_URL/.test(body.error), JSON.stringify(body));
});

test('an alarm on what notifications publish does not tell itself', async () => {
  const tutti = await Tutti.new(['serve'], { env: quick });
  const c = await client(tutti);
  await c.subscribeAsync('alarms/#', { qos: 1 });
  await put(tutti, 'rules/hot', { on: '#', when: { above: 0 }, priority: 'high' }); // ids and times, too
  await put(tutti, 'targets/bus', { kind: 'mqtt' });
  await put(tutti, 'routes/all', { to: ['bus'] });
  await value(tutti, 'plant/a/temp', 90);
  await until('it is told', () => c.got.length === 1);
  // Who hears a notice and publishes a value there does make an alarm.
  await c.publishAsync('alarms/answer', JSON.stringify({ path: 'echo', level: 90 }), { qos: 1 });
  await until('an alarm itself', async () => (await tutti.get('alarms?prefix=alarms')).total >= 1);
  await value(tutti, 'plant/b/temp', 90);
  await until('the next', () => c.got.some((m) => m.path === 'plant/b/temp'));
  c.got = c.got.filter((m) => m.path !== 'echo');
  check(c.got.length === 2 && c.got.every((m) => m.path.startsWith('plant/')), JSON.stringify(c.got));
  check((await put(tutti, 'targets/bad', { kind: 'mqtt', topic: 'plant/{path}' }, 400)).startsWith('topic can be plant/'), 'where alarms are');
  await gone(c);
});

test('secrets are in no answer, no log and no file', async () => {
  const h = await hook();
  const tutti = await Tutti.new(['serve'], { env: quick });
  await hot(tutti);
  await webhook(tutti, 'erp', h);
  await put(tutti, 'routes/all', { to: ['erp'] });
  const shown = await target(tutti, 'erp');
  check(shown.signed && shown.headers.Authorization === null && !('secret' in shown), JSON.stringify(shown));
  // What is not told stays: another group, the same secrets.
  await put(tutti, 'targets/erp', { kind: 'webhook', url: shown.url, headers: { Authorization: null }, group_ms: 5 });
  await value(tutti, 'plant/a/temp', 90);
  await until('it came', () => h.got.length === 1);
  check(h.got[0].signed && h.got[0].headers.authorization === token, JSON.stringify(h.got[0].headers));
  await put(tutti, 'targets/erp', { kind: 'webhook', url: shown.url, secret: '', group_ms: 0 });
  await value(tutti, 'plant/b/temp', 90);
  await until('the next', () => h.got.length === 2);
  check(!h.got[1].headers['tutti-signature'] && !h.got[1].headers.authorization, 'taken away');
  await webhook(tutti, 'erp', h);
  check((await tutti.call('POST', 'auth/users', { name: 'olga', password: 'correct-horse-battery', roles: ['operate'] })).status < 300, 'a user');
  const olga = await tutti.call('POST', 'auth/login', { name: 'olga', password: 'correct-horse-battery', bearer: true });
  const admin = tutti.token;
  tutti.token = olga.body.token;
  const seen = await target(tutti, 'erp');
  check(seen.url === `http://127.0.0.1:${h.port}`, `an operator sees the host: ${seen.url}`);
  for (const [method, where, body] of [['PUT', 'targets/x', { kind: 'mqtt' }], ['DELETE', 'targets/erp'], ['POST', 'targets/erp/test', {}], ['PUT', 'routes/x', { to: ['erp'] }], ['DELETE', 'routes/all']])
    check((await tutti.call(method, `alarms/${where}`, body)).status === 403, `${method} ${where} by an operator`);
  tutti.token = admin;
  check((await tutti.call('DELETE', 'alarms/targets/erp')).status === 409, 'a route tells it');
  check((await tutti.kill('SIGTERM')) === 0, `it stops: ${tutti.child.out.slice(-2000)}`);
  for (const word of [secret, 'very-secret-token']) {
    check(!tutti.child.out.includes(word), 'in the log');
    for (const file of readdirSync(tutti.data, { recursive: true, withFileTypes: true }))
      if (file.isFile()) check(!readFileSync(path.join(file.path ?? file.parentPath, file.name)).includes(word), `in ${file.name}`);
  }
  await tutti.up();
  await value(tutti, 'plant/c/temp', 90);
  await until('after a start', () => h.got.length === 3);
  check(h.got[2].signed && h.got[2].headers.authorization === token, 'the secrets are there again');
  await h.end();
});

test('mistakes are told with their field', async () => {
  const tutti = await Tutti.new(['serve'], { env: quick });
  const cases = [
    ['targets/1x', { kind: 'mqtt' }, 'name '], ['targets/x', { kind: 'sms' }, 'kind '], ['targets/x', { kind: 'email' }, 'to: '], ['targets/x', { kind: 'email', to: 'nobody' }, 'to: '],
    ['targets/x', { kind: 'mqtt', to: 'a@b.c' }, 'to is not a setting of kind mqtt'], ['targets/x', { kind: 'mqtt', topic: '{path}' }, 'topic '],
    ['targets/x', { kind: 'mqtt', topic: 'a/{path}/b' }, 'topic '], ['targets/x', { kind: 'mqtt', topic: 'a/#' }, 'topic '], ['targets/x', { kind: 'mqtt', topic: '$SYS/x' }, 'topic '],
    ['targets/x', { kind: 'mqtt', qos: 3 }, 'qos '], ['targets/x', { kind: 'webhook', url: 'ftp://x/' }, 'url '], ['targets/x', { kind: 'webhook', url: 'http://u:p@x/' }, 'url '],
    ['targets/x', { kind: 'webhook', url: 'https://x/', secret: 'short' }, 'secret '], ['targets/x', { kind: 'webhook', url: 'https://x/', headers: { 'X-A': 'a\r\nB: c' } }, 'headers: '],
    ['targets/x', { kind: 'webhook', url: 'https://x/', headers: { 'X-A': null } }, 'headers: X-A needs a value'], ['targets/x', { kind: 'email', to: 'a@b.c', group_ms: -1 }, 'group_ms '],
    ['routes/x', { to: [] }, 'to '], ['routes/x', { to: ['none'] }, 'to holds none'], ['routes/x', { to: ['none'], when: ['exploded'] }, 'when '],
  ];
  for (const [where, body, text] of cases) {
    const said = await put(tutti, where, body, 400);
    check(said.startsWith(text), `${where} ${JSON.stringify(body)}: ${said}`);
  }
  await put(tutti, 'targets/x', { kind: 'mqtt' });
  check((await put(tutti, 'targets/x', { kind: 'email', to: 'a@b.c' }, 409)).startsWith('kind '), 'kind stays');
  check((await put(tutti, 'routes/r', { to: ['x'], on: 'a/#/b' }, 400)).startsWith('on '), 'a filter');
});

await run();
process.exit(); // servers of a test that failed are still there
