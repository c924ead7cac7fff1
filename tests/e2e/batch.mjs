// tests/e2e/batch.mjs: programs run in batch by tests.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, folder } from './lib.mjs';

const tutti = path.join(build, 'tutti');
export const engines = execFileSync(tutti, ['run', '--engine', 'list'], { encoding: 'utf8' })
  .split('\n').filter(Boolean).map((line) => line.split(' ')[0]);

// Runs a program in batch: { code, out, err }.
export function batch(text, input, { engine = 'interp', env = {}, cwd = folder(), args = [] } = {}) {
  writeFileSync(path.join(cwd, 'p.tutti'), text);
  const child = spawn(tutti, ['run', '--batch', '--engine', engine, '--cache', path.join(cwd, 'cache'), ...args, 'p.tutti'],
    { cwd, env: { ...process.env, ...env } });
  const result = { out: '', err: '' };
  child.stdout.on('data', (d) => (result.out += d));
  child.stderr.on('data', (d) => (result.err += d));
  child.stdin.on('error', () => {});
  child.stdin.end(input.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)) + '\n').join(''));
  return new Promise((done) => child.on('close', (code) => done({ code, ...result })));
}

// The dead letters of such a run.
export const errors = (result) => result.err.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l));
