// Private objects and signed addresses, answered as Supabase's storage server does: refusals are HTTP 400
// with the real status as text in the body, and what a signed address may do stands in its token.

const objects = new Map<string, { content: Uint8Array<ArrayBuffer>; kind: string }>();
const BUCKETS = ["training-datasets", "lora-models"];
const UPLOAD_S = 2 * 3600;
const tokens = new Map<string, { place: string; purpose: string; until: number }>();

export async function storage(request: Request, isOurs: boolean): Promise<Response> {
  const url = new URL(request.url);
  const path = decodeURIComponent(url.pathname).slice("/storage/v1/object/".length);
  const token = url.searchParams.get("token");
  if (token !== null) return await signed(request, path, token);
  if (!isOurs) return refusal("404", "not_found", "Object not found");
  if (request.method === "POST" && path.startsWith("upload/sign/")) {
    const place = path.slice("upload/sign/".length);
    return Response.json({ url: `/object/${path}?token=${grant(place, "upload", UPLOAD_S)}` });
  }
  if (request.method === "POST" && path.startsWith("sign/")) {
    const place = path.slice("sign/".length);
    if (!objects.has(place)) return refusal("404", "not_found", "Object not found");
    const { expiresIn } = await request.json() as { expiresIn: number };
    return Response.json({ signedURL: `/object/${path}?token=${grant(place, "read", expiresIn)}` });
  }
  if (request.method === "POST") return await take(request, path);
  return handOut(path);
}

async function signed(request: Request, path: string, token: string): Promise<Response> {
  const purpose = path.startsWith("upload/sign/") ? "upload" : "read";
  const place = path.replace(/^(upload\/)?sign\//, "");
  const known = tokens.get(token);
  if (known?.place !== place || known.purpose !== purpose || known.until < Date.now()) {
    return refusal("400", "InvalidJWT", "signature verification failed");
  }
  return purpose === "upload" ? await take(request, place) : handOut(place);
}

function grant(place: string, purpose: string, seconds: number): string {
  const token = crypto.randomUUID();
  tokens.set(token, { place, purpose, until: Date.now() + seconds * 1000 });
  return token;
}

async function take(request: Request, place: string): Promise<Response> {
  if (!BUCKETS.includes(place.split("/")[0] ?? "")) {
    return refusal("404", "Bucket not found", "Bucket not found");
  }
  if (objects.has(place) && request.headers.get("x-upsert") !== "true") {
    return refusal("409", "Duplicate", "The resource already exists");
  }
  const content = new Uint8Array(await request.arrayBuffer());
  objects.set(place, { content, kind: request.headers.get("content-type") ?? "text/plain" });
  return Response.json({ Key: place });
}

function handOut(place: string): Response {
  const found = objects.get(place);
  if (found === undefined) return refusal("404", "not_found", "Object not found");
  return new Response(found.content, { headers: { "content-type": found.kind } });
}

function refusal(statusCode: string, error: string, message: string): Response {
  return Response.json({ statusCode, error, message }, { status: 400 });
}
