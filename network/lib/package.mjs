// Writes a chaincode package: the same input gives the same bytes, and so the same package id, on every machine.
//
//   node package.mjs OUT.tar.gz METADATA.json NAME=FILE_OR_DIRECTORY …
//
// The inner code.tar.gz holds each FILE under NAME, or all files of DIRECTORY below NAME/.

import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const block = 512;

/** One regular file in ustar form; no time, owner or machine in it. @param {string} name @param {Buffer} content */
function entry(name, content) {
  const header = Buffer.alloc(block);
  let prefix = '';
  if (Buffer.byteLength(name) > 100) {
    // The prefix field takes what stands before a slash, so that at most 100 bytes are left for the name.
    const cut = name.indexOf('/', Math.max(0, name.length - 101));
    prefix = name.slice(0, cut);
    name = name.slice(cut + 1);
    if (cut < 1 || Buffer.byteLength(prefix) > 155) throw new Error(`path too long for a package: ${prefix}/${name}`);
  }
  header.write(name, 0, 100);
  header.write('0000644\0' + '0000000\0' + '0000000\0', 100);
  header.write(content.length.toString(8).padStart(11, '0') + '\0' + '00000000000\0', 124);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  header.write(prefix, 345, 155);
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(sum.toString(8).padStart(6, '0') + '\0 ', 148);
  return Buffer.concat([header, content, Buffer.alloc((block - (content.length % block)) % block)]);
}

/** @param {[string, Buffer][]} files */
function archive(files) {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const tar = Buffer.concat([...sorted.map(([name, content]) => entry(name, content)), Buffer.alloc(2 * block)]);
  const packed = gzipSync(tar, { level: 9 });
  packed[9] = 255; // the gzip header's operating system: unknown
  return packed;
}

/** @returns {[string, Buffer][]} */
function collect(name, path) {
  if (!statSync(path).isDirectory()) return [[name, readFileSync(path)]];
  return readdirSync(path).flatMap((child) => (child === 'node_modules' ? [] : collect(`${name}/${child}`, join(path, child))));
}

const [out, metadata, ...parts] = process.argv.slice(2);
const code = archive(parts.flatMap((part) => collect(part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1))));
writeFileSync(out, archive([['metadata.json', readFileSync(metadata)], ['code.tar.gz', code]]), { mode: 0o600 });
