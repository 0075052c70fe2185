// The cluster's word on how a training ended -> its row. Deployed with `--no-verify-jwt`: who calls is
// known by the signature (Standard Webhooks), not by a key of this project.
//
// The same message may come twice, and late. A row takes a message only when its outcome was settled after
// the one it knows, in one statement, so that a repetition changes nothing.

import { asObject, HttpError, json, parseObject, readBytes, serve } from "../_shared/http.ts";
import { BODY_BYTES, setting } from "../_shared/http.ts";
import { Project } from "../_shared/project.ts";
import { columnsOf, JOB_ID, readStatus } from "../_shared/training.ts";
import { verify } from "../_shared/webhooks.ts";

const TABLE = "training_jobs";
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/;
const TYPES = ["training.completed", "training.failed", "training.cancelled"];

serve("training-callback", async (request) => {
  if (request.method !== "POST") throw new HttpError(405, "method_not_allowed", "send POST");
  const secrets = setting("PODTUNE_WEBHOOK_SECRET");
  const body = await readBytes(request, BODY_BYTES);
  const { id } = await verify(request.headers, body, secrets);
  const told = parseObject(body);
  const data = asObject(told.data);
  const status = readStatus(told.data);
  const settled = new Date(TIME.test(String(told.timestamp)) ? String(told.timestamp) : NaN);
  const externalJobId = data?.external_job_id;
  const isWhole = status !== null && status.status !== "running" && !isNaN(settled.getTime()) &&
    TYPES.includes(String(told.type)) && typeof externalJobId === "string" &&
    JOB_ID.test(externalJobId);
  if (!isWhole) {
    throw new HttpError(400, "bad_callback", "the message is signed, and is no training's outcome");
  }
  const project = new Project();
  const row = { external_job_id: `eq.${externalJobId}` };
  const at = settled.toISOString();
  // What the request was warned of stands in the status only: a message without warnings takes none away.
  const { warnings, ...rest } = columnsOf(status);
  const outcome = status.warnings.length > 0 ? { ...rest, warnings } : rest;
  const changed = await project.update(
    TABLE,
    { ...row, or: `(callback_at.is.null,callback_at.lt."${at}")` },
    { ...outcome, callback_id: id, callback_at: at },
  );
  if (changed.length > 0) return json({ taken: true });
  const known = await project.select(TABLE, { ...row, select: "id", limit: "1" });
  if (known.length > 0) return json({ taken: false, duplicate: true });
  // Perhaps the row does not know its external_job_id yet: podtune tries again after some seconds.
  throw new HttpError(404, "job_not_found", "no row has this external_job_id yet");
});
