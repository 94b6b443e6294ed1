// What a sample has besides devices and stacks: people with roles, a policy, a release with its update, and a receiver of
// the audit trail that cannot be reached.
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bin, folder, Program, until } from './programs.mjs';

/** makeRelease signs a release of small programs. It gives its public key, and the file. */
export async function makeRelease(version) {
  const dir = folder();
  const key = join(dir, 'release.pem');
  const file = join(dir, 'release');
  mkdirSync(join(dir, 'bin/linux-amd64'), { recursive: true });
  for (const name of ['farshore-agent', 'farshore-composer']) {
    writeFileSync(join(dir, 'bin/linux-amd64', name), `${name} ${version}`);
  }
  const made = await ran('release', 'keygen', key);
  await ran('release', 'make', '--key', key, '--version', version, '--out', file, join(dir, 'bin'));
  return { publicKey: made.match(/fsrp1_\S+/)[0], file };
}

async function ran(...args) {
  const program = new Program(join(bin, 'farshore'), args);
  await program.ended;
  if (program.child.exitCode !== 0) throw new Error(`farshore ${args.join(' ')}:\n${program.printed}`);
  return program.printed;
}

/** startDayTwo makes all that. It gives the id of the update, and a link for somebody who is invited. */
export async function startDayTwo(hub, release) {
  await hub.ask('POST', 'releases', await readFile(release.file), { 'Content-Type': 'application/octet-stream' });
  const update = await hub.post('updates', {
    release: 'v9.9.0',
    group: 'plants',
    plan: { batch: '2', doubling: true },
  });
  await until('the update has looked at its devices', async () => {
    const { devices } = await hub.get(`updates/${update.id}`);
    return Object.values(devices).some((n) => n > 0);
  });
  await hub.put('policies', {
    group: 'plants',
    forbid: ['privileged', 'host-network', 'bind-mounts'],
    images: ['registry.plant.example/**'],
    note: 'Plants share their network with machines.',
  });
  await hub.post('users', { name: 'anna', password: 'several-plain-words-here' });
  await hub.post('users', { name: 'jonas', password: 'several-other-words-here', admin: true });
  const { link } = await hub.post('users', { name: 'installer.north@plant.example' });
  await hub.put('teams/night-shift', { leaders: ['anna'], members: ['anna', 'installer.north@plant.example'] });
  await hub.post('grants', { team: 'night-shift', role: 'operator', group: 'plants/bremen' });
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  await hub.post('grants', {
    user: 'anna',
    role: 'device-administrator',
    group: 'ships',
    until: tomorrow,
    note: 'voyage',
  });
  await hub.put('audit/destinations/siem', { url: 'tls://127.0.0.1:9' });
  await until('the receiver is known to be away', async () => {
    const { items } = await hub.get('audit/destinations');
    return items[0].problem;
  });
  return { update: update.id, link: new URL(link.url).hash };
}
