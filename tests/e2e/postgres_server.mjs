// tests/e2e/postgres_server.mjs: a real PostgreSQL of its own for a test: in a temporary folder, on
// loopback, never as root (it refuses to be). TUTTI_TEST_POSTGRES names another folder of versions than
// Debian's, for example one whose server has timescaledb, which Debian has not.
import { execFileSync } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort, start, until } from './lib.mjs';

const folder = process.env.TUTTI_TEST_POSTGRES ?? '/usr/lib/postgresql';
const versions = () => {
  try {
    return readdirSync(folder).sort((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
};
const shared = path.resolve(folder, '../../share/postgresql');
const withTimescale = () => versions().filter((v) => existsSync(path.join(shared, v, 'extension/timescaledb.control')));
export const hasTimescale = () => withTimescale().length > 0;
export const noTimescale = `no PostgreSQL of ${folder} has the extension timescaledb (TUTTI_TEST_POSTGRES names another folder)`;
const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));

export class Postgres {
  // `users`: { name: password }; the superuser `boss` needs none. `timescale`: with the extension, and `more` settings.
  static async new(users = {}, timescale = false, more = {}) {
    const pg = new Postgres();
    const [version] = timescale ? withTimescale() : versions();
    if (!version) throw new Error(timescale ? noTimescale : 'install postgresql-15 (tests/setup.sh test)');
    pg.bin = path.join(folder, version, 'bin');
    pg.settings = { listen_addresses: '127.0.0.1', fsync: 'off', max_connections: '40',
      ...(timescale ? { shared_preload_libraries: 'timescaledb', 'timescaledb.telemetry_level': 'off' } : {}), ...more };
    pg.root = process.getuid() === 0;
    pg.who = pg.root ? { uid: id('-u'), gid: id('-g') } : {};
    pg.dir = mkdtempSync(path.join(os.tmpdir(), 'tutti-pg-'));
    if (pg.root) chownSync(pg.dir, pg.who.uid, pg.who.gid);
    pg.data = path.join(pg.dir, 'data');
    pg.port = await freePort();
    const quiet = { ...pg.who, cwd: pg.dir, stdio: 'ignore' };
    execFileSync(`${pg.bin}/initdb`, ['-D', pg.data, '-U', 'boss', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'], quiet);
    writeFileSync(path.join(pg.data, 'pg_hba.conf'),
      'local all all trust\nhost all boss 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
    await pg.up();
    for (const [name, password] of Object.entries(users)) pg.sql(`create role ${name} login password '${password}'`);
    return pg;
  }

  // What it says goes to a file: nobody reads a pipe while sql() waits, and a server whose pipe is full waits for
  // its reader (timescaledb says a line for each step of a refresh).
  async up() {
    const log = openSync(path.join(this.dir, 'log'), 'a');
    this.child = start(`${this.bin}/postgres`, ['-D', this.data, '-p', String(this.port), '-k', this.dir,
      ...Object.entries(this.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])], { ...this.who, cwd: this.dir, stdio: ['ignore', log, log] });
    closeSync(log);
    await until('postgres answers', () => {
      try {
        return this.sql('select 1') === '1';
      } catch {
        return false;
      }
    });
  }

  sql(text) {
    return execFileSync('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.dir, '-p', String(this.port),
      '-U', 'boss', '-d', 'postgres', '-c', text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  url(user = 'boss', password = '') {
    return `postgres://${user}${password && `:${password}`}@127.0.0.1:${this.port}/postgres`;
  }

  async down() { // "immediate": as a crash, but its helpers go with it
    this.child.kill('SIGQUIT');
    await this.child.exited;
  }

  // It is there and says nothing: `SIGSTOP`, until `SIGCONT`.
  signal(name) {
    const { pid } = this.child;
    const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    for (const each of [pid, ...workers.map(Number)]) process.kill(each, name);
  }

  async end() {
    await this.down();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
