// Takes podtune's callbacks: checks the signature (Standard Webhooks) and tells each outcome once.
//
//   PODTUNE_WEBHOOK_SECRET=$(podtune callbacks secret --tenant app) deno run -N -E callback.ts

import { HttpError, json, readBytes, serve, setting } from "../supabase/functions/_shared/http.ts";
import { verify } from "../supabase/functions/_shared/webhooks.ts";

/** Ids of what was told. Keep them in your database: a message may come twice, after a restart too. */
const told = new Set<string>();

serve("callback", async (request) => {
  if (request.method !== "POST") throw new HttpError(405, "method_not_allowed", "send POST");
  const body = await readBytes(request, 256 * 1024);
  const { id } = await verify(request.headers, body, setting("PODTUNE_WEBHOOK_SECRET"));
  if (!told.has(id)) {
    told.add(id);
    const { type, data } = JSON.parse(new TextDecoder().decode(body));
    // deno-lint-ignore no-console -- what the example is for
    console.log(`${type}: ${data.external_job_id}, ${data.adapter_path}`);
  }
  return json({ taken: true });
});
