// tests/e2e/ask.mjs: a running server asks about many records at once. An HTTP server holds all answers until
// the test lets go, so what is true while records wait can be looked at: nobody is acknowledged, and neither a
// new version nor a stop loses one.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { check, Publisher, run, test, Tutti, until } from './lib.mjs';

class Held {
  constructor() { Object.assign(this, { open: [], most: 0, seen: 0, free: false }); }
  start() {
    this.server = createServer((req, res) => {
      const id = Number(req.url.split('/')[2]);
      this.seen++;
      this.open.push(() => res.end(JSON.stringify({ w: id * 3 })));
      this.most = Math.max(this.most, this.open.length);
      if (this.free) this.go();
    });
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(this)));
  }
  go() { for (const answer of this.open.splice(0).reverse()) answer(); } // the last one first
  stop() { this.server.closeAllConnections(); this.server.close(); }
}

const program = (port, extra = '') => `
pipeline asks {
  from mqtt "in/seq" qos 1 as json { seq: i64 }
  ask part = http get "http://127.0.0.1:${port}/part/{seq}" as { w: i64 } timeout 30s limit 8 else error nobody
  ${extra}
  into file "out.ndjson"
  on error into file "bad.ndjson"
}
`;
const lines = (tutti) => { try { return readFileSync(path.join(tutti.cwd, 'out.ndjson'), 'utf8').split('\n').slice(0, -1); } catch { return []; } };
const row = (n) => `{"seq":${n},"part":{"w":${n * 3}}}`;

test('acknowledged when answered, in the order of the records, eight at once', async () => {
  const held = await new Held().start();
  const tutti = await Tutti.new();
  await tutti.deploy('asks.tutti', program(held.server.address().port));
  const pub = new Publisher(tutti.mqtt, 'in/seq', (n) => JSON.stringify({ seq: n }), 100);
  pub.limit = 60;
  await pub.connect();
  await until('a question', () => held.open.length > 0);
  await until('all are sent', () => pub.next === 60);
  check(pub.acked.size === 0, 'nobody is acknowledged who waits');
  check(lines(tutti).length === 0, 'and no row is written');
  await until('all are acknowledged', () => { held.go(); return pub.acked.size === 60; });
  check(held.most > 1 && held.most <= 8, `at most eight at once: ${held.most}`);
  check(held.seen === 60, `each was asked about once: ${held.seen}`);
  check(lines(tutti).join('\n') === Array.from({ length: 60 }, (_, n) => row(n)).join('\n'), 'in order');
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  held.stop();
});

test('a new version while records wait loses none and asks about none again', async () => {
  const held = await new Held().start();
  const tutti = await Tutti.new();
  await tutti.deploy('asks.tutti', program(held.server.address().port));
  const pub = new Publisher(tutti.mqtt, 'in/seq', (n) => JSON.stringify({ seq: n }), 100);
  pub.limit = 40;
  await pub.connect();
  await until('a question', () => held.open.length > 0);
  let answered = false;
  const swap = tutti.deploy('asks.tutti', program(held.server.address().port, 'let twice = part.w * 2')).then(() => (answered = true));
  await until('the new version is stored', async () => (await tutti.get('pipelines/asks')).version === 2);
  check(!answered, 'answered when it works, and not while the old one does');
  await until('all are acknowledged', () => { held.go(); return pub.acked.size === 40; });
  held.free = true;
  await swap;
  check(held.seen === 40, `each was asked about once: ${held.seen}`);
  const seqs = lines(tutti).map((l) => JSON.parse(l).seq);
  check(seqs.join() === Array.from({ length: 40 }, (_, n) => n).join(), `each once and in order: ${seqs}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  held.stop();
});

test('a stop while records wait: what was acknowledged has its row, the rest comes again', async () => {
  const held = await new Held().start();
  const tutti = await Tutti.new();
  await tutti.deploy('asks.tutti', program(held.server.address().port));
  const pub = new Publisher(tutti.mqtt, 'in/seq', (n) => JSON.stringify({ seq: n }), 100);
  pub.limit = 30;
  await pub.connect();
  await until('a question', () => held.open.length > 0);
  const ended = tutti.kill('SIGTERM');
  held.free = true;
  held.go();
  check((await ended) === 0, 'ends');
  const before = lines(tutti).map((l) => JSON.parse(l).seq);
  check([...pub.acked].every((n) => before.includes(n)), 'every acknowledged record has its row');
  await tutti.up();
  await pub.connect();
  await until('all are acknowledged', () => pub.acked.size === 30);
  const seqs = new Set(lines(tutti).map((l) => JSON.parse(l).seq));
  check(seqs.size === 30, `none is lost: ${[...seqs]}`);
  check(!existsSync(path.join(tutti.cwd, 'bad.ndjson')) || !readFileSync(path.join(tutti.cwd, 'bad.ndjson'), 'utf8'), 'none failed');
  check((await tutti.kill('SIGTERM')) === 0, 'ends again');
  held.stop();
});

// Answers to /one/N, /two/N and /three/N are three times N; a kind that is held waits.
class Kinds {
  constructor() { Object.assign(this, { open: { one: [], two: [], three: [] }, most: { one: 0, two: 0, three: 0 }, held: '' }); }
  start() {
    this.server = createServer((req, res) => {
      const [, kind, n] = req.url.split('/');
      const answer = () => res.end(JSON.stringify({ w: Number(n) * 3 }));
      if (this.held !== kind) return answer();
      this.open[kind].push(answer);
      this.most[kind] = Math.max(this.most[kind], this.open[kind].length);
    });
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => resolve(this)));
  }
  hold(kind) {
    this.held = kind;
    for (const list of Object.values(this.open)) for (const answer of list.splice(0)) answer();
  }
  stop() { this.server.closeAllConnections(); this.server.close(); }
}

test('kill -9 while records wait at one of three questions: each is asked about again, none is lost or twice', async () => {
  const kinds = await new Kinds().start();
  const ask = (name, what, limit) => `ask ${name} = http get "http://127.0.0.1:${kinds.server.address().port}/${what}" as { w: i64 } timeout 50s limit ${limit} else error nobody`;
  const tutti = await Tutti.new();
  kinds.hold('one');
  await tutti.deploy('deep.tutti', `
pipeline deep {
  from mqtt "in/seq" qos 1 as json { seq: i64 }
  dedupe by seq within 1h
  ${ask('part', 'one/{seq}', 8)}
  ${ask('more', 'two/{part.w}', 4)}
  window count 5 { n = count()  seqs = list(seq, 5)  total = sum(more.w) }
  ${ask('row', 'three/{total}', 2)}
  into file "rows.ndjson"
  on error into file "bad.ndjson"
}
`);
  const pub = new Publisher(tutti.mqtt, 'in/seq', (n) => JSON.stringify({ seq: n }), 100);
  pub.limit = 60;
  await pub.connect();
  for (const [kind, next] of [['one', 'two'], ['two', 'three'], ['three', '']]) {
    await until(`questions of /${kind}`, () => kinds.open[kind].length > 0);
    check((await tutti.kill('SIGKILL')) === 'SIGKILL', 'killed');
    kinds.hold(next);
    await tutti.up();
    await pub.connect();
  }
  await until('all are acknowledged', () => pub.acked.size === 60);
  // How many there are at once is the batches' business, and tests/suites/ask.sh looks at it; never are there more.
  check(kinds.most.one <= 8 && kinds.most.two <= 4 && kinds.most.three <= 2, `not more than the limits: ${JSON.stringify(kinds.most)}`);
  check((await tutti.kill('SIGTERM')) === 0, 'ends');
  const rows = readFileSync(path.join(tutti.cwd, 'rows.ndjson'), 'utf8').split('\n').slice(0, -1).map((l) => JSON.parse(l));
  const seqs = rows.flatMap((r) => r.seqs);
  check(seqs.join() === Array.from({ length: 60 }, (_, n) => n).join(), `each once, in order: ${seqs}`);
  for (const r of rows) check(r.total === 9 * r.seqs.reduce((a, b) => a + b, 0) && r.row.w === 3 * r.total, `its own answers: ${JSON.stringify(r)}`);
  check(!existsSync(path.join(tutti.cwd, 'bad.ndjson')) || !readFileSync(path.join(tutti.cwd, 'bad.ndjson'), 'utf8'), 'none failed');
  kinds.stop();
});

await run();
