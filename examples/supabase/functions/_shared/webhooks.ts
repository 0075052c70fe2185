// Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): is a message from who it says, and new?
// WebCrypto only.

import { HttpError } from "./http.ts";

/** How old a message may be, or how far ahead its clock, in seconds (the specification's own figure). */
export const TOLERANCE_S = 300;

/** Longest id that is taken, in characters. */
const ID_LENGTH = 256;

/** Signatures of one message that are looked at; two stand there while secrets change over. */
const SIGNATURES = 8;

/** What a verified message says about itself. */
export interface Verified {
  /** The same for every try: what was told once is not told again. */
  id: string;
}

/**
 * See that a message was signed with one of our secrets and is not an old one sent again.
 *
 * @param headers of the request
 * @param body as it came, byte by byte
 * @param secrets `whsec_...`, several with spaces between them
 * @param nowMs milliseconds since 1970
 */
export async function verify(
  headers: Headers,
  body: Uint8Array,
  secrets: string,
  nowMs: number = Date.now(),
): Promise<Verified> {
  const id = headers.get("webhook-id") ?? "";
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (!/^[\x21-\x7e]+$/.test(id) || id.length > ID_LENGTH) throw refused("webhook-id");
  if (!/^\d{1,12}$/.test(timestamp)) throw refused("webhook-timestamp");
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > TOLERANCE_S) throw refused("webhook-timestamp");
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + body.length);
  signed.set(head);
  signed.set(body, head.length);
  const told = (headers.get("webhook-signature") ?? "").split(" ").slice(0, SIGNATURES);
  const signatures = told.filter((one) => one.startsWith("v1,")).map((one) =>
    bytesOf(one.slice(3))
  );
  for (const secret of secrets.trim().split(/\s+/)) {
    const key = await keyOf(secret);
    for (const signature of signatures) {
      // `verify` compares in constant time.
      if (signature && await crypto.subtle.verify("HMAC", key, signature, signed)) return { id };
    }
  }
  throw refused("webhook-signature");
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const bytes = secret.startsWith("whsec_") ? bytesOf(secret.slice(6)) : null;
  if (bytes === null || bytes.length < 24 || bytes.length > 64) {
    throw new HttpError(
      503,
      "not_configured",
      "PODTUNE_WEBHOOK_SECRET is not whsec_ and base64 of 24 to 64 bytes",
      "`podtune callbacks secret` prints it",
    );
  }
  return await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  } catch {
    return null;
  }
}

function refused(header: string): HttpError {
  return new HttpError(401, "bad_signature", `${header} is missing, too old or does not fit`);
}
