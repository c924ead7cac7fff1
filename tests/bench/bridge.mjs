// tests/bench/bridge.mjs: messages over a bridge per second of CPU time of the broker that has the bridge: ours and
// Mosquitto's, in turn. The other side is a Mosquitto both times. Its clients are tests/bench/mqtt_load.c, with all
// publishers at one broker and the subscriber at the other; lost, doubled or disordered messages end the run.
//   node bridge.mjs    ROUNDS=3 rounds, the median counts; COUNT=50000 messages
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../', import.meta.url));
const build = process.env.BUILD?.startsWith('/') ? process.env.BUILD : join(top, process.env.BUILD ?? 'build');
process.env.BUILD = build;
const { freePort, Tutti, until } = await import('../e2e/lib.mjs');
const rounds = Number(process.env.ROUNDS ?? 3), count = Number(process.env.COUNT ?? 50000);
const dir = mkdtempSync(join(tmpdir(), 'tutti-bridge-'));
const running = new Set();

async function mosquitto(lines) {
  const port = await freePort();
  const conf = join(dir, `${port}.conf`);
  writeFileSync(conf, [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'persistence false', 'max_queued_messages 0',
    'max_inflight_messages 1000', 'set_tcp_nodelay true', 'log_type information', 'log_type notice', 'user root', ...lines, ''].join('\n'));
  const child = spawn('mosquitto', ['-c', conf], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.text = '';
  child.stderr.on('data', (bytes) => (child.text += bytes));
  running.add(child);
  await until('mosquitto runs', () => /running/.test(child.text));
  return { port, pid: child.pid, child };
}

const makers = {
  async mosquitto(far, direction, qos) {
    const near = await mosquitto(['connection b', `address 127.0.0.1:${far.port}`, `topic b/# ${direction} ${qos}`,
      'bridge_protocol_version mqttv50', 'remote_clientid bench', 'cleansession false']);
    await until('connected', () => /as bench/.test(far.child.text));
    return { ...near, stop: () => near.child.kill('SIGTERM') };
  },
  async tutti(far, direction, qos) {
    const tutti = await Tutti.new();
    await tutti.call('PUT', 'bridges/b', { host: '127.0.0.1', port: far.port, client_id: 'bench', topics: [{ direction, filter: 'b/#', qos }] });
    await until('connected', async () => (await tutti.get('bridges/b')).state === 'connected');
    return { port: tutti.mqtt, pid: tutti.child.pid, stop: () => tutti.kill('SIGTERM') };
  },
};

function load(near, far, direction, qos, bytes) {
  const [from, to] = direction === 'out' ? [near, far] : [far, near];
  const args = ['fan', '-P', 10, '-S', 1, '-q', qos, '-s', bytes, '-n', count, '-w', 500, '-p', from.port, '-T', to.port, '-R', near.pid];
  return new Promise((resolve, reject) => {
    execFile(join(build, 'tests-tools/mqtt_load'), args, { timeout: 120000 }, (error, line, reason) =>
      error ? reject(new Error(`${reason || error.message} ${line}`)) : resolve(JSON.parse(line)));
  });
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
try {
  if (spawnSync('mosquitto', ['-h']).error) throw new Error('mosquitto is not installed (Debian package mosquitto)');
  console.log(`${''.padEnd(24)} mosquitto     tutti  ratio   messages a CPU second, ${rounds} rounds of ${count}`);
  for (const direction of ['out', 'in'])
    for (const qos of [0, 1]) {
      const results = { mosquitto: [], tutti: [] };
      for (let round = 0; round < rounds; round++)
        for (const name of Object.keys(makers)) {
          const far = await mosquitto([]);
          const near = await makers[name](far, direction, qos);
          results[name].push((await load(near, far, direction, qos, 64)).per_cpu_s);
          await near.stop();
          far.child.kill('SIGTERM');
        }
      const [theirs, ours] = [median(results.mosquitto), median(results.tutti)];
      console.log(`${`${direction}, QoS ${qos}, 64 B`.padEnd(24)} ${Math.round(theirs).toString().padStart(9)} ${Math.round(ours).toString().padStart(9)} ${(ours / theirs).toFixed(2).padStart(6)}`);
    }
} catch (error) {
  console.error(`bridge: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}
process.exit();
