-- Trainings of the application's users: a row is inserted by its user, and from then on only the functions
-- change it (with the project's secret key, which row level security lets through).

create table public.training_jobs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,

  -- What was asked for. The file lies in the bucket training-datasets, below its user's own id.
  dataset_path text not null check (length(dataset_path) between 38 and 500),
  hyperparameters jsonb not null check (
    jsonb_typeof(hyperparameters) = 'object' and length(hyperparameters::text) < 10000
  ),
  gpu_config jsonb check (jsonb_typeof(gpu_config) = 'object' and length(gpu_config::text) < 1000),

  -- How it stands: the status object of GET /training/status/{id}.
  status text not null default 'queued' check (
    status in ('queued', 'submitting', 'running', 'completed', 'failed', 'cancelled')
  ),
  progress double precision not null default 0 check (progress between 0 and 100),
  current_epoch integer not null default 0,
  current_step integer not null default 0,
  stage text,
  metrics jsonb,
  warnings jsonb,
  cost_usd numeric(12, 6),
  eta_seconds double precision,
  adapter_path text,
  error_code text,
  error_message text,
  advice text,

  -- What the functions remember.
  external_job_id text unique,
  tries integer not null default 0,
  next_try_at timestamptz not null default now(),
  claimed_at timestamptz,
  polled_at timestamptz,
  callback_id text,
  callback_at timestamptz,

  created_at timestamptz not null default now(),
  submitted_at timestamptz,
  ended_at timestamptz
);

create index training_jobs_work on public.training_jobs (status, next_try_at);
create index training_jobs_user on public.training_jobs (user_id, created_at desc);

alter table public.training_jobs enable row level security;

-- A new project grants everything on a new table to everybody who may sign in; a user may state these four
-- columns of a new row and nothing else.
revoke all on public.training_jobs from anon, authenticated;
grant select on public.training_jobs to authenticated;
grant insert (user_id, dataset_path, hyperparameters, gpu_config) on public.training_jobs to authenticated;
grant all on public.training_jobs to service_role;

create policy "users see their own trainings" on public.training_jobs
  for select to authenticated using (user_id = (select auth.uid()));

-- Without the second line a user could have somebody else's file signed and trained on.
create policy "users submit trainings of their own files" on public.training_jobs
  for insert to authenticated with check (
    user_id = (select auth.uid())
    and dataset_path ~ ('^' || (select auth.uid())::text || '/[^/]')
    and dataset_path !~ '(^|/)\.{0,2}(/|$)'
  );

-- Both private: rows of training data, and adapters that learnt them. Only the project's secret key reads
-- lora-models; hand a finished adapter to its user by a signed address.
insert into storage.buckets (id, name, public)
values ('training-datasets', 'training-datasets', false), ('lora-models', 'lora-models', false)
on conflict (id) do update set public = false;

create policy "users keep their own data sets" on storage.objects
  for all to authenticated
  using (bucket_id = 'training-datasets' and (storage.foldername(name))[1] = (select auth.uid())::text)
  with check (bucket_id = 'training-datasets' and (storage.foldername(name))[1] = (select auth.uid())::text);
