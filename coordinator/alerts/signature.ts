// For senders that cannot, or should not, hold the bearer token: an HMAC-SHA256 over the time and the raw body, with a
// shared secret, in one header:
//
//   X-Berth-Signature: t=1767225600,v1=HEX      HEX = hmac_sha256(secret, "1767225600." + body)
//
// The time is signed too and must be near ours, so that a recorded post is worthless soon; within that time a replay is
// known by its seal and changes nothing (taken-posts.ts). Several v1 may be given, and several secrets accepted, while a
// secret is changed.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { replayWindowMs } from './judge-alert.ts';

export const signatureHeader = 'x-berth-signature';

export type SignatureCheck =
  /** `seal`: of what was signed, whatever the secret. `until`: wall milliseconds; the signature counts no longer then. */
  { ok: true; seal: string; until: number } | { ok: false; reason: string };

/** The value of the header for `body`, sent at `nowWall` (milliseconds). */
export function signBody(secret: string, body: Uint8Array | string, nowWall: number): string {
  const seconds = Math.floor(nowWall / 1000);
  return `t=${seconds},v1=${digest(secret, seconds, body).toString('hex')}`;
}

/** Takes the same time whatever was signed wrongly. `windowMs`: how far the sender's clock may be from ours. */
export function verifySignature(given: {
  header: string | undefined;
  body: Uint8Array | string;
  secrets: readonly string[];
  nowWall: number;
  windowMs?: number;
}): SignatureCheck {
  const { header, body, secrets, nowWall, windowMs = replayWindowMs } = given;
  if (header === undefined || header.length > 4096) return refuse(`the header ${signatureHeader} is missing`);
  const parts = header.split(',').map((part) => part.trim());
  const time = parts.find((part) => /^t=\d{1,12}$/.test(part))?.slice(2);
  const signatures = parts
    .filter((part) => /^v1=[0-9a-f]{64}$/i.test(part))
    .map((part) => Buffer.from(part.slice(3), 'hex'));
  if (time === undefined || signatures.length === 0) {
    return refuse(`the header ${signatureHeader} is not of the form t=SECONDS,v1=HEX`);
  }
  const seconds = Number(time);
  let matches = false;
  for (const wanted of secrets.map((secret) => digest(secret, seconds, body))) {
    for (const signature of signatures) matches = timingSafeEqual(wanted, signature) || matches;
  }
  if (!matches) return refuse('the signature is not that of this body with our secret');
  const offBy = Math.abs(nowWall - seconds * 1000);
  return offBy <= windowMs
    ? { ok: true, seal: sealOf(seconds, body), until: seconds * 1000 + windowMs }
    : refuse(`it was signed ${Math.round(offBy / 1000)} s from now; the clocks differ, or it is a replay`);
}

function refuse(reason: string): SignatureCheck {
  return { ok: false, reason };
}

function sealOf(seconds: number, body: Uint8Array | string): string {
  return createHash('sha256').update(`${seconds}.`).update(body).digest('hex');
}

function digest(secret: string, seconds: number, body: Uint8Array | string): Buffer {
  return createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
}
