// HMAC (RFC 2104) with SHA-256 (FIPS 180-4), since functions have no cryptography of their own. All is done in words
// of 32 bits: an interpreter would spend as much on bytes as on the hash.

const BLOCK = 64; // bytes
const WORDS = 16; // of a block
// What fills up a block that holds a hash, behind a block that was hashed before.
const END_OF_HASH = [0x80000000 | 0, 0, 0, 0, 0, 0, 0, (BLOCK + 32) * 8];
const START = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
const ROUNDS = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];

/**
 * A function that gives the HMAC-SHA-256 of an ASCII text under `key`, bytes of which there are 64 at most.
 *
 * The key's own two blocks are hashed once, however many messages follow.
 */
export function hmacUnder(key) {
  const inner = compressed(START, padded(key, 0x36363636), 0);
  const outer = compressed(START, padded(key, 0x5c5c5c5c), 0);
  return (text) => {
    const message = blocksOf(text, BLOCK);
    let hash = inner;
    for (let at = 0; at < message.length; at += WORDS) hash = compressed(hash, message, at);
    return compressed(outer, hash.concat(END_OF_HASH), 0);
  };
}

/** The first `size` bytes of a hash. */
export function bytesOf(hash, size) {
  const bytes = [];
  for (let at = 0; at < size; at++) bytes.push((hash[at >> 2] >>> (24 - (at & 3) * 8)) & 255);
  return bytes;
}

/** A key as a block, every word of which is masked. */
function padded(key, mask) {
  const words = new Array(WORDS).fill(mask);
  for (let at = 0; at < key.length; at++) words[at >> 2] ^= key[at] << (24 - (at & 3) * 8);
  return words;
}

/** A text as the words of its last blocks, filled up as the standard says; `before` bytes were hashed before it. */
function blocksOf(text, before) {
  const size = text.length;
  const words = new Array(Math.ceil((size + 9) / BLOCK) * WORDS).fill(0);
  for (let at = 0; at < size; at++) words[at >> 2] |= text.charCodeAt(at) << (24 - (at & 3) * 8);
  words[size >> 2] |= 0x80 << (24 - (size & 3) * 8);
  // Texts are far below 2^32 bits: the upper half of their length is nought.
  words[words.length - 1] = (before + size) * 8;
  return words;
}

/**
 * The state after the block of `message` that begins at its word `from`.
 *
 * Eight rounds are written out, in which each letter takes the place of the one before it: an interpreter spends more
 * on moving eight values about than on the round itself.
 */
function compressed(state, message, from) {
  const words = message.slice(from, from + WORDS);
  for (let at = 16; at < 64; at++) {
    const early = words[at - 15];
    const late = words[at - 2];
    const s0 = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3);
    const s1 = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10);
    words[at] = (words[at - 16] + s0 + words[at - 7] + s1) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let at = 0; at < 64; at += 8) {
    h =
      (h +
        (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) +
        (g ^ (e & (f ^ g))) +
        ROUNDS[at] +
        words[at]) |
      0;
    d = (d + h) | 0;
    h =
      (h +
        (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) +
        ((a & b) | (c & (a | b)))) |
      0;
    g =
      (g +
        (((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21)) ^ ((d >>> 25) | (d << 7))) +
        (f ^ (d & (e ^ f))) +
        ROUNDS[at + 1] +
        words[at + 1]) |
      0;
    c = (c + g) | 0;
    g =
      (g +
        (((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19)) ^ ((h >>> 22) | (h << 10))) +
        ((h & a) | (b & (h | a)))) |
      0;
    f =
      (f +
        (((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21)) ^ ((c >>> 25) | (c << 7))) +
        (e ^ (c & (d ^ e))) +
        ROUNDS[at + 2] +
        words[at + 2]) |
      0;
    b = (b + f) | 0;
    f =
      (f +
        (((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19)) ^ ((g >>> 22) | (g << 10))) +
        ((g & h) | (a & (g | h)))) |
      0;
    e =
      (e +
        (((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21)) ^ ((b >>> 25) | (b << 7))) +
        (d ^ (b & (c ^ d))) +
        ROUNDS[at + 3] +
        words[at + 3]) |
      0;
    a = (a + e) | 0;
    e =
      (e +
        (((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19)) ^ ((f >>> 22) | (f << 10))) +
        ((f & g) | (h & (f | g)))) |
      0;
    d =
      (d +
        (((a >>> 6) | (a << 26)) ^ ((a >>> 11) | (a << 21)) ^ ((a >>> 25) | (a << 7))) +
        (c ^ (a & (b ^ c))) +
        ROUNDS[at + 4] +
        words[at + 4]) |
      0;
    h = (h + d) | 0;
    d =
      (d +
        (((e >>> 2) | (e << 30)) ^ ((e >>> 13) | (e << 19)) ^ ((e >>> 22) | (e << 10))) +
        ((e & f) | (g & (e | f)))) |
      0;
    c =
      (c +
        (((h >>> 6) | (h << 26)) ^ ((h >>> 11) | (h << 21)) ^ ((h >>> 25) | (h << 7))) +
        (b ^ (h & (a ^ b))) +
        ROUNDS[at + 5] +
        words[at + 5]) |
      0;
    g = (g + c) | 0;
    c =
      (c +
        (((d >>> 2) | (d << 30)) ^ ((d >>> 13) | (d << 19)) ^ ((d >>> 22) | (d << 10))) +
        ((d & e) | (f & (d | e)))) |
      0;
    b =
      (b +
        (((g >>> 6) | (g << 26)) ^ ((g >>> 11) | (g << 21)) ^ ((g >>> 25) | (g << 7))) +
        (a ^ (g & (h ^ a))) +
        ROUNDS[at + 6] +
        words[at + 6]) |
      0;
    f = (f + b) | 0;
    b =
      (b +
        (((c >>> 2) | (c << 30)) ^ ((c >>> 13) | (c << 19)) ^ ((c >>> 22) | (c << 10))) +
        ((c & d) | (e & (c | d)))) |
      0;
    a =
      (a +
        (((f >>> 6) | (f << 26)) ^ ((f >>> 11) | (f << 21)) ^ ((f >>> 25) | (f << 7))) +
        (h ^ (f & (g ^ h))) +
        ROUNDS[at + 7] +
        words[at + 7]) |
      0;
    e = (e + a) | 0;
    a =
      (a +
        (((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19)) ^ ((b >>> 22) | (b << 10))) +
        ((b & c) | (d & (b | c)))) |
      0;
  }
  return [
    (state[0] + a) | 0,
    (state[1] + b) | 0,
    (state[2] + c) | 0,
    (state[3] + d) | 0,
    (state[4] + e) | 0,
    (state[5] + f) | 0,
    (state[6] + g) | 0,
    (state[7] + h) | 0,
  ];
}
