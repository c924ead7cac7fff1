// tests/e2e/alarms.mjs: alarms that a program or a schema declares, in a whole Tutti process; npm's
// mqtt is the plant.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import mqtt from 'mqtt';
import { build, check, folder, freePort, run, test, Tutti, until } from './lib.mjs';

async function plant(tutti) {
  const c = mqtt.connect(`mqtt://127.0.0.1:${tutti.mqtt}`, { reconnectPeriod: 0 });
  c.on('error', () => {});
  await new Promise((resolve) => c.on('connect', resolve));
  c.gone = () => new Promise((resolve) => c.end(true, {}, resolve));
  c.put = (topic, payload) => c.publishAsync(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), { qos: 1 });
  return c;
}

const alarms = async (tutti, query = 'state=all') => (await tutti.get(`alarms?${query}`)).alarms;
const alarm = async (tutti, rule, where) =>
  (await alarms(tutti)).find((a) => a.rule === rule && (!where || a.path === where));
const rules = async (tutti) => (await tutti.get('alarms/rules')).rules;
const state = async (tutti, rule, want) =>
  until(`${rule} is ${want}`, async () => (await alarm(tutti, rule))?.state === want);
const act = async (tutti, what, rule, where, more = {}) => {
  const { body } = await tutti.call('POST', 'alarms/act', { act: what, alarms: [{ rule, path: where }], ...more });
  check(body.done === 1, `${what}: ${JSON.stringify(body)}`);
};
const entries = async (tutti, rule) => (await tutti.get(`alarms/journal?rule=${rule}`)).entries.length;

const pipeline = `pipeline copy { from uns "in/#" as json { x: f64 }  into uns "out/x"  on error drop }\n`;
const hot = (limit) => `const LIMIT = ${limit} [degC]
alarm hot {
  on: "acme/+/filter/temperature", above: LIMIT, hysteresis: 3.6 [degF], priority: high
  message: "{path} is at {value}, more than {LIMIT}"
}
`;
const cold = `alarm cold { on: "acme/#/temperature", below: 5 [degC], latch: true, priority: critical }\n`;
const where = 'acme/l1/filter/temperature';

test('a program declares alarms; a new version keeps their states; the last one goes with it', async () => {
  const tutti = await Tutti.new();
  const c = await plant(tutti);
  await tutti.deploy('press.tutti', hot(80) + cold + pipeline);
  const rule = (await rules(tutti)).find((r) => r.alarm.name === 'hot');
  // 3.6 degF more are 2 degC more: by hand.
  check(JSON.stringify(rule) === JSON.stringify({ origin: 'program press.tutti', alarm: { name: 'hot', on: 'acme/+/filter/temperature', when: { above: 80, hysteresis: 2 }, priority: 'high', message: '{path} is at {value}, more than 80' } }), JSON.stringify(rule));

  await c.put(where, '85');
  await state(tutti, 'hot', 'unacknowledged');
  const raised = await alarm(tutti, 'hot');
  check(raised.priority === 'high' && raised.message === `${where} is at 85, more than 80`, JSON.stringify(raised));
  check((await alarm(tutti, 'cold')).state === 'normal', 'the other one is there and quiet');
  await act(tutti, 'acknowledge', 'hot', where);
  const [told] = (await tutti.get('alarms/journal?rule=hot')).entries;
  check(told.to === 'acknowledged' && told.who === 'admin', `by its name: ${JSON.stringify(told)}`);
  await act(tutti, 'shelve', 'cold', where, { text: 'commissioning', until: Date.now() + 600000 });
  const before = await entries(tutti, 'hot');

  // The same again, then another limit: no state is lost and nothing is raised anew.
  await tutti.deploy('press.tutti', hot(80) + cold + '# a word\n' + pipeline);
  await tutti.deploy('press.tutti', hot(82) + cold + pipeline);
  check((await rules(tutti)).find((r) => r.alarm.name === 'hot').alarm.when.above === 82, 'the new limit');
  check((await alarm(tutti, 'hot')).state === 'acknowledged', 'acknowledged as before');
  check((await alarm(tutti, 'cold')).state === 'shelved', 'shelved as before');
  check((await entries(tutti, 'hot')) === before, 'nothing happened to it');
  await c.put(where, '81');
  await until('the value', async () => (await alarm(tutti, 'hot')).value === 81);
  check((await alarm(tutti, 'hot')).state === 'acknowledged', 'within the hysteresis');

  await tutti.kill('SIGKILL');
  await tutti.up();
  check((await alarm(tutti, 'hot')).state === 'acknowledged' && (await alarm(tutti, 'cold')).state === 'shelved', 'after kill -9');
  check((await rules(tutti)).every((r) => r.origin === 'program press.tutti'), 'still its own');
  await c.gone();
  const d = await plant(tutti);
  await d.put(where, '79');
  await state(tutti, 'hot', 'normal');

  // One goes with the version that does not have it, the rest with the program.
  await tutti.deploy('press.tutti', hot(82) + pipeline);
  check((await rules(tutti)).map((r) => r.alarm.name).join() === 'hot', 'cold is gone');
  check(!(await alarm(tutti, 'cold')), 'and so is its state');
  check((await tutti.call('DELETE', 'pipelines/copy')).status === 200, 'removed');
  check((await rules(tutti)).length === 0, 'no rule is left');
  check((await alarms(tutti)).length === 0, 'no alarm is left');
  await d.gone();
  await tutti.kill('SIGTERM');
});

test('a name that somebody else has fails the deploy, and the old version stays', async () => {
  const tutti = await Tutti.new();
  const mine = { on: 'x', when: { below: 1 } };
  const made = await tutti.call('PUT', 'alarms/rules/cold', mine);
  check(made.status === 200, `by a person: ${JSON.stringify(made)}`);
  const again = await tutti.call('PUT', 'alarms/rules/cold', (await rules(tutti))[0].alarm); // as it was read, with its name
  check(again.status === 200, `what was read: ${JSON.stringify(again)}`);
  const another = await tutti.call('PUT', 'alarms/rules/cold', { name: 'warm', ...mine });
  check(another.status === 400 && another.body.error.text === 'name is warm in the body and cold in the address', JSON.stringify(another));
  await tutti.deploy('press.tutti', hot(80) + pipeline);
  const refused = await tutti.call('POST', 'pipelines', { file: 'press.tutti', text: hot(90) + cold + pipeline.replace('out/x', 'out/y') });
  check(refused.status === 409 && /cold was made by people/.test(refused.body.error.text), JSON.stringify(refused));
  check((await rules(tutti)).find((r) => r.alarm.name === 'hot').alarm.when.above === 80, 'the old limit');
  const { version, text } = await tutti.get('pipelines/copy');
  check(version === 1 && text.includes('out/x'), 'the old version runs');
  const other = await tutti.call('POST', 'pipelines', { file: 'other.tutti', text: hot(80) + pipeline.replace('copy', 'copy2') });
  check(other.status === 409 && /hot is declared by the program press.tutti: change it there/.test(other.body.error.text), JSON.stringify(other));
  check((await tutti.call('GET', 'pipelines/copy2')).status === 404, 'not half of it');

  // People cannot change what a program declares, and are told where to.
  for (const [method, body] of [['PUT', { on: 'x', when: { above: 1 } }], ['DELETE', undefined]]) {
    const { status, body: answer } = await tutti.call(method, 'alarms/rules/hot', body);
    check(status === 409 && /program press.tutti/.test(answer.error.text), JSON.stringify(answer));
  }
  const wrong = await tutti.call('POST', 'pipelines', { file: 'press.tutti', text: hot(80).replace('above', 'abov') + pipeline });
  check(wrong.status === 400 && wrong.body.problems[0].code === 'R004' && wrong.body.problems[0].line === 3, JSON.stringify(wrong.body));
  const alone = await tutti.call('POST', 'pipelines', { file: 'alone.tutti', text: cold });
  check(alone.status === 400 && /only alarms/.test(alone.body.error.text), JSON.stringify(alone));
  const preview = await tutti.call('POST', 'pipelines/preview', { file: 'press.tutti', text: hot(81) + pipeline });
  check(/alarm hot: changes and keeps its states, above LIMIT/.test(preview.body.text), preview.body.text);
  await tutti.kill('SIGTERM');
});

test('a rule of people is renamed: states, journal and routes come along, also after kill -9', async () => {
  const tutti = await Tutti.new();
  const c = await plant(tutti);
  const put = async (what, body) => {
    const { status, body: answer } = await tutti.call('PUT', `alarms/${what}`, body);
    check(status === 200, `${what}: ${JSON.stringify(answer)}`);
  };
  const rename = async (from, to, want = 200) => {
    const { status, body } = await tutti.call('POST', `alarms/rules/${from}/rename`, { to });
    check(status === want, `${from} to ${to}: ${status} ${JSON.stringify(body)}`);
    return body.error?.text;
  };
  await tutti.deploy('press.tutti', hot(80) + pipeline);
  await put('rules/warm', { on: ['acme/+/oven', 'acme/+/kiln'], when: { above: 10 }, priority: 'high' });
  await put('rules/other', { on: 'x', when: { above: 10 } });
  await put('targets/board', { kind: 'mqtt', topic: 'told/{rule}' });
  await put('targets/far', { kind: 'webhook', url: `http://127.0.0.1:${await freePort()}/` }); // nobody is there
  await put('routes/one', { on: '#', alarms: ['other', 'warm'], to: ['board', 'far'], when: ['raised', 'cleared'] });
  await put('routes/all', { on: '#', alarms: ['w*'], to: ['board'], delay_ms: 3600000 });
  await c.put('acme/a/oven', '11');
  await c.put('acme/b/kiln', '11');
  await c.put('acme/c/oven', '1');
  await c.put('acme/d/kiln', '11');
  await until('three are raised', async () => (await alarms(tutti)).filter((a) => a.rule === 'warm' && a.state === 'unacknowledged').length === 3);
  await act(tutti, 'acknowledge', 'warm', 'acme/a/oven');
  const calls = async () => (await tutti.get('alarms/targets')).calls;
  const before = await entries(tutti, 'warm');
  const was = await alarm(tutti, 'warm', 'acme/a/oven');

  check(/other already/.test(await rename('warm', 'other', 409)), 'taken');
  check(/to: a name is letters/.test(await rename('warm', 'a b', 400)), 'no name');
  check(/there is no alarm cold/.test(await rename('cold', 'x', 404)), 'not there');
  check(/program press.tutti/.test(await rename('hot', 'hotter', 409)), 'of a program');
  await rename('warm', 'warm');
  check((await entries(tutti, 'warm')) === before, 'the name it has');
  await rename('warm', 'a_hot_oven');
  await c.put('acme/c/oven', '11');

  const seen = async (when) => {
    check((await rules(tutti)).map((r) => r.alarm.name).join() === 'a_hot_oven,hot,other', `${when}: ${JSON.stringify(await rules(tutti))}`);
    const now = await alarm(tutti, 'a_hot_oven', 'acme/a/oven');
    check(JSON.stringify(now) === JSON.stringify({ ...was, rule: 'a_hot_oven', value: now.value }), `${when}: ${JSON.stringify(now)}`);
    check((await alarm(tutti, 'a_hot_oven', 'acme/b/kiln')).state === 'unacknowledged', `${when}: the other one`);
    check(!(await alarm(tutti, 'warm')) && (await entries(tutti, 'warm')) === 0, `${when}: nothing of the old name`);
    const told = (await tutti.get('alarms/journal?rule=a_hot_oven')).entries;
    check(told.filter((e) => e.text === 'the rule was called warm' && e.who === 'admin' && e.path === 'acme/+/oven').length === 1, `${when}: ${JSON.stringify(told)}`);
    check(told.filter((e) => e.path === 'acme/a/oven' && e.to === 'acknowledged').length === 1, `${when}: what was, by the new name`);
    const routes = (await tutti.get('alarms/routes')).routes;
    check(JSON.stringify(routes.map((r) => r.alarms)) === '[["w*"],["other","a_hot_oven"]]', `${when}: ${JSON.stringify(routes)}`);
  };
  await until('the third', async () => (await alarm(tutti, 'a_hot_oven', 'acme/c/oven'))?.state === 'unacknowledged');
  await seen('at once');
  const were = await calls();
  await act(tutti, 'acknowledge', 'a_hot_oven', 'acme/d/kiln');
  await c.put('acme/d/kiln', '1');
  await until('no route follows it any more', async () => (await calls()) < were);
  const left = await calls();
  await act(tutti, 'acknowledge', 'a_hot_oven', 'acme/c/oven'); // answered when it is on the disk, and so is all before it
  await c.gone();
  await tutti.kill('SIGKILL');
  await tutti.up();
  await seen('after kill -9');
  // The route `all` does not name the rule as it is called now: its call there is over when it is due, or at a start.
  const now = await calls();
  check(now > 0 && now === left - 1, `${left} calls waited, and ${now} behind the kill`);
  const hook = http.createServer((request, response) => request.resume().on('end', () => response.end()));
  await new Promise((resolve) => hook.listen(0, '127.0.0.1', resolve));
  await put('targets/far', { kind: 'webhook', url: `http://127.0.0.1:${hook.address().port}/` }); // what waited for it goes, and the journal tells of it
  await until('far is told', async () => (await tutti.get('alarms/journal?rule=a_hot_oven')).entries.some((e) => e.target === 'far' && e.path === 'acme/a/oven'));
  check((await entries(tutti, 'warm')) === 0, 'also of what waited under the old name');
  hook.close();
  check((await alarm(tutti, 'a_hot_oven', 'acme/c/oven')).state === 'acknowledged', 'the third follows the sample that was acknowledged');
  const third = (await tutti.get('alarms/journal?rule=a_hot_oven&prefix=acme/c')).entries.filter((e) => !e.target).map((e) => e.to);
  check(third.join() === 'acknowledged,unacknowledged', `raised and taken under the new name: ${third}`);
  await tutti.kill('SIGTERM');
});

test('a rule is renamed while its alarms come and go: what waits for the disk has the new name', async () => {
  const tutti = await Tutti.new();
  const c = await plant(tutti);
  const names = ['tap', 'hot_tap'];
  const { status } = await tutti.call('PUT', `alarms/rules/${names[0]}`, { on: 'plant/+/tap', when: { above: 10 } });
  check(status === 200, 'the rule');
  let ended = false;
  // Each on its own, so that some come while the rows of others are on their way.
  const streams = Array.from({ length: 20 }, async (_, i) => {
    for (let n = 0; !ended; n++) await c.publishAsync(`plant/${i}/tap`, n % 2 ? '1' : '11', { qos: n % 20 ? 0 : 1 });
  });
  for (let round = 0; round < 12; round++) {
    const [from, to] = round % 2 ? [names[1], names[0]] : names;
    await until('one is in the journal', async () => (await entries(tutti, from)) > 1);
    const renamed = await tutti.call('POST', `alarms/rules/${from}/rename`, { to });
    check(renamed.status === 200, JSON.stringify(renamed.body));
    check((await entries(tutti, from)) === 0, `round ${round}: nothing in the journal has the old name`);
  }
  ended = true;
  await Promise.all(streams);
  await c.gone();
  await tutti.kill('SIGTERM');
});

test('rules of a program that is not there go at the start', async () => {
  const tutti = await Tutti.new();
  await tutti.deploy('press.tutti', hot(80) + pipeline);
  await tutti.kill('SIGKILL');
  // As if the process had died behind the declaration and before the version was stored.
  execFileSync('sqlite3', [path.join(tutti.data, 'tutti.db'), 'delete from engine_program; delete from engine_pipeline; delete from engine_version']);
  await tutti.up();
  await until('nobody declares it', async () => (await rules(tutti)).length === 0);
  await tutti.kill('SIGTERM');
});

test('a Lite file brings its alarms', async () => {
  const cwd = folder();
  const file = path.join(cwd, 'press.tutti'), lite = path.join(cwd, 'press');
  writeFileSync(file, hot(80) + pipeline);
  execFileSync(path.join(build, 'tutti'), ['build', file, '--target', 'lite', '-o', lite], { stdio: 'ignore' });
  const tutti = await Tutti.new([], { cwd, program: lite });
  const c = await plant(tutti);
  await c.put(where, '85');
  await state(tutti, 'hot', 'unacknowledged');
  await act(tutti, 'acknowledge', 'hot', where);
  await tutti.kill('SIGKILL');
  await tutti.up([]);
  check((await alarm(tutti, 'hot')).state === 'acknowledged', 'after kill -9');
  check((await rules(tutti))[0].origin === 'program press.tutti', 'of the program');
  await c.gone();
  await tutti.kill('SIGTERM');
});

const schema = (limit) => `type Press = { temp: tag f64 [degC], state: enum { RUN, IDLE, FAULT }, name: string(16)? }
# 176 degF are 80 degC: by hand
alarm press_hot { on: "temp", above: ${limit}, hysteresis: 3.6 [degF], priority: high }
alarm press_fault { on: "state", is: FAULT, priority: critical }
`;
const ok = async (tutti, method, where, body) => {
  const answer = await tutti.call(method, where, body);
  check(answer.status === 200, `${method} ${where}: ${JSON.stringify(answer)}`);
  return answer.body;
};
const on = async (tutti, name) => [(await rules(tutti)).find((r) => r.alarm.name === name)?.alarm.on].flat().join();

test('a schema declares alarms on the fields of what it is bound to', async () => {
  const tutti = await Tutti.new();
  const c = await plant(tutti);
  await ok(tutti, 'PUT', 'schemas/press', { text: schema('176 [degF]') });
  check((await rules(tutti)).length === 0, 'bound to nothing');
  await ok(tutti, 'PUT', 'schema-bindings', { filter: 'acme/+/press', schema: 'press' });
  const rule = (await rules(tutti)).find((r) => r.alarm.name === 'press_hot');
  check(JSON.stringify(rule) === JSON.stringify({ origin: 'schema press', alarm: { name: 'press_hot', on: 'acme/+/press/temp', when: { above: 80, hysteresis: 2 }, priority: 'high' } }), JSON.stringify(rule));
  await c.put('acme/l1/press', { temp: { value: 81, quality: 'good' }, state: 'FAULT' });
  await state(tutti, 'press_hot', 'unacknowledged');
  await state(tutti, 'press_fault', 'unacknowledged');
  await act(tutti, 'acknowledge', 'press_hot', 'acme/l1/press/temp');

  // Another binding is one more filter of the same rule; # may stand before the field.
  await ok(tutti, 'PUT', 'schema-bindings', { filter: 'plant/#', schema: 'press' });
  await until('both', async () => (await on(tutti, 'press_hot')) === 'acme/+/press/temp,plant/#/temp');
  await c.put('plant/a/b', { temp: 90, state: 'RUN' });
  await until('its own alarm', async () => (await alarm(tutti, 'press_hot', 'plant/a/b/temp'))?.state === 'unacknowledged');
  check((await alarm(tutti, 'press_hot', 'acme/l1/press/temp')).state === 'acknowledged', 'the first one as it was');

  // A new version changes them; a binding that is fixed to the old one keeps the old one's.
  const saved = await ok(tutti, 'PUT', 'schemas/press', { text: schema('82 [degC]') });
  check(saved.changes.map((x) => `${x.compatible} ${x.text}`).join() === 'true the alarm press_hot changes', JSON.stringify(saved.changes));
  await until('the new limit', async () => (await rules(tutti)).find((r) => r.alarm.name === 'press_hot').alarm.when.above === 82);
  check((await alarm(tutti, 'press_hot', 'acme/l1/press/temp')).state === 'acknowledged', 'acknowledged as before');
  await ok(tutti, 'PUT', 'schema-bindings', { filter: 'plant/#', schema: 'press', version: 1 });
  await until('an alarm of its own', async () => (await on(tutti, 'press_hot.v1')) === 'plant/#/temp');
  check((await on(tutti, 'press_hot')) === 'acme/+/press/temp', await on(tutti, 'press_hot'));

  await tutti.kill('SIGKILL');
  await tutti.up();
  check((await alarm(tutti, 'press_hot', 'acme/l1/press/temp')).state === 'acknowledged', 'after kill -9');
  check((await on(tutti, 'press_hot.v1')) === 'plant/#/temp', 'after kill -9');
  const mine = await tutti.call('DELETE', 'alarms/rules/press_hot');
  check(mine.status === 409 && /declared by the schema press: change it there/.test(mine.body.error.text), JSON.stringify(mine));

  // A name that is taken: neither binding nor version.
  await tutti.deploy('p.tutti', 'alarm mine { on: "x", above: 1 }\n' + pipeline);
  const taken = await tutti.call('PUT', 'schemas/press', { text: schema('1 [degC]').replace('press_fault', 'mine') });
  check(taken.status === 409 && /program p.tutti/.test(taken.body.error.text), JSON.stringify(taken));
  check((await tutti.get('schemas/press')).version === 2, 'not saved');
  await ok(tutti, 'PUT', 'schemas/other', { text: 'type T = f64 [bar]\nalarm mine { above: 4 [bar] }' });
  const bound = await tutti.call('PUT', 'schema-bindings', { filter: 'z', schema: 'other' });
  check(bound.status === 409 && /mine/.test(bound.body.error.text), JSON.stringify(bound));
  check(!(await tutti.get('schema-bindings')).bindings.some((b) => b.filter === 'z'), 'not bound');
  await ok(tutti, 'DELETE', 'pipelines/copy');
  await ok(tutti, 'PUT', 'schema-bindings', { filter: 'z', schema: 'other' });
  await until('on the topic itself', async () => (await on(tutti, 'mine')) === 'z');

  for (const filter of ['plant/#', 'acme/+/press', 'z']) await ok(tutti, 'DELETE', `schema-bindings?filter=${encodeURIComponent(filter)}`);
  await until('nothing is left', async () => (await rules(tutti)).length === 0 && (await alarms(tutti)).length === 0);
  await ok(tutti, 'DELETE', 'schemas/press');
  await c.gone();
  await tutti.kill('SIGTERM');
});

test('what is wrong with an alarm of a schema is said with its place', async () => {
  const tutti = await Tutti.new();
  const wrong = async (text, want, line = 2) => {
    const { body } = await tutti.call('POST', 'schemas/check', { text });
    const first = body.problems?.[0];
    check(!body.ok && first?.line === line && want.test(`${first.code} ${first.text}`), `${text}: ${JSON.stringify(body)}`);
  };
  const type = 'type P = { temp: f64 [degC], state: enum { RUN }, xs: [f64; 3], n: i32 }\n';
  await wrong(type + 'alarm a { on: "tmp", above: 80 }', /R005 the schema has no field `tmp`/);
  await wrong(type + 'alarm a { above: 80 }', /R005 .*on: "temp"/);
  await wrong(type + 'alarm a { on: "xs", above: 80 }', /R005 `xs` is no single value/);
  await wrong(type + 'alarm a { on: "state", above: 80 }', /R008 `above` is about numbers/);
  await wrong(type + 'alarm a { on: "state", is: STOP }', /STOP/);
  await wrong(type + 'alarm a { on: "temp", above: 80 [bar] }', /U004 \[bar\] does not convert to \[degC\]/);
  await wrong(type + 'alarm a { on: "n", above: 80 [bar] }', /U004/);
  await wrong(type + 'alarm a { on: "temp", is: "x" }', /R008 .*of the field's type/);
  await wrong('type P = f64 [bar]\nalarm a { on: "temp", above: 80 }', /R005 the schema's type is one value/);
  const fine = await tutti.call('POST', 'schemas/check', { text: 'type P = f64 [bar]\nalarm a { above: 200 [kPa] }' });
  check(fine.body.ok && fine.body.alarms[0].when.above === 2, JSON.stringify(fine.body));
  await tutti.kill('SIGTERM');
});

await run();
