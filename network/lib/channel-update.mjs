// Edits a decoded channel configuration: adds one organisation to the application group.
//
//   node channel-update.mjs add CONFIG.json ORG.json MSPID ANCHOR_HOST ANCHOR_PORT > NEW.json

import { readFileSync } from 'node:fs';

const [verb, configFile, orgFile, mspId, host, port] = process.argv.slice(2);
if (verb !== 'add') throw new Error(`unknown verb ${verb}`);
const config = JSON.parse(readFileSync(configFile, 'utf8'));
const org = JSON.parse(readFileSync(orgFile, 'utf8'));
const groups = config.channel_group.groups.Application.groups;
if (groups[mspId]) {
  console.error(`${mspId} is on the channel already`);
  process.exit(3);
}
org.values.AnchorPeers = { mod_policy: 'Admins', value: { anchor_peers: [{ host, port: Number(port) }] }, version: '0' };
groups[mspId] = org;
console.log(JSON.stringify(config));
