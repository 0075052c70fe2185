// The function lies where `supabase functions deploy process-training-jobs` looks for it:
// supabase/functions/<name>/index.ts. This file leads there.
import "../functions/process-training-jobs/index.ts";
