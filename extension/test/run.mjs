// Bundles the tests with the builder's own rspack and runs them with node's own runner: no test framework to install.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rspack } from '@rspack/core';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '..', 'lib-test');
rmSync(out, { recursive: true, force: true });
const entry = Object.fromEntries(
  readdirSync(here)
    .filter(name => /\.test\.tsx?$/.test(name))
    .map(name => [name.replace(/\.tsx?$/, ''), ['./test/dom.ts', `./test/${name}`]])
);
const stats = await new Promise((resolve, reject) =>
  rspack(
    {
      context: join(here, '..'),
      mode: 'development',
      devtool: false,
      target: 'node20',
      entry,
      output: { path: out, filename: '[name].cjs', library: { type: 'commonjs2' } },
      externals: [/^node:/, 'jsdom'],
      externalsType: 'commonjs',
      resolve: { extensions: ['.tsx', '.ts', '.js'] },
      module: {
        rules: [
          {
            test: /\.tsx?$/,
            loader: 'builtin:swc-loader',
            options: { jsc: { parser: { syntax: 'typescript', tsx: true }, transform: { react: { runtime: 'classic' } } } }
          },
          { test: /\.svg$/, type: 'asset/source' },
          { test: /\.css$/, type: 'asset/source' }
        ]
      }
    },
    (error, found) => (error ? reject(error) : resolve(found))
  )
);
if (stats.hasErrors()) {
  process.stderr.write(stats.toString({ all: false, errors: true }) + '\n');
  process.exit(1);
}
const files = Object.keys(entry).map(name => join(out, `${name}.cjs`));
const done = spawnSync(process.execPath, ['--test', '--test-force-exit', '--test-reporter=spec', ...process.argv.slice(2), ...files], { stdio: 'inherit' });
process.exit(done.status ?? 1);
