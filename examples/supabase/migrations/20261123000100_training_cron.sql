-- Who calls the function process-training-jobs: a trigger at once, and a job every half minute. Both read
-- address and key from the vault, so that no secret stands in a migration. Once, in the SQL editor:
--
--   select vault.create_secret('https://<project>.supabase.co', 'project_url');
--   select vault.create_secret('<the same as the secret TRAINING_CRON_KEY>', 'training_cron_key');

create extension if not exists pg_net;
create extension if not exists pg_cron;

create schema if not exists private;

create function private.process_training_jobs() returns void
language plpgsql security definer set search_path = '' as $$
declare
  project_url text;
  cron_key text;
begin
  select decrypted_secret into project_url from vault.decrypted_secrets where name = 'project_url';
  select decrypted_secret into cron_key from vault.decrypted_secrets where name = 'training_cron_key';
  if project_url is null or cron_key is null then
    raise warning 'project_url or training_cron_key is not in the vault: nothing is trained';
    return;
  end if;
  perform net.http_post(
    url := project_url || '/functions/v1/process-training-jobs',
    headers := jsonb_build_object(
      'Content-Type', 'application/json', 'Authorization', 'Bearer ' || cron_key
    ),
    body := '{}'::jsonb,
    timeout_milliseconds := 60000
  );
end
$$;
revoke all on function private.process_training_jobs() from public, anon, authenticated;

create function private.training_job_inserted() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.process_training_jobs();
  return null;
end
$$;
revoke all on function private.training_job_inserted() from public, anon, authenticated;

create trigger training_job_inserted after insert on public.training_jobs
  for each statement execute function private.training_job_inserted();

-- pg_cron 1.5 and newer takes seconds. Nothing is asked while no training is under way.
select cron.schedule('process-training-jobs', '30 seconds', $$
  select private.process_training_jobs() where exists (
    select from public.training_jobs where status in ('queued', 'submitting', 'running')
  )
$$);
