"""The Supabase example's migrations on a real PostgreSQL: who may see and write what.

What Supabase has before any migration is made by hand: roles, `auth`, `storage`, the vault, pg_cron and
pg_net as far as the migrations name them.
"""

import re
import uuid

import psycopg
import pytest

BEFORE = """
create schema auth;
create table auth.users (id uuid primary key);
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create schema storage;
create table storage.buckets (id text primary key, name text not null, public boolean default false);
create table storage.objects (id uuid primary key default gen_random_uuid(), bucket_id text, name text);
alter table storage.objects enable row level security;
create function storage.foldername(name text) returns text[] language sql immutable as
  $$ select (string_to_array(name, '/'))[1:array_length(string_to_array(name, '/'), 1) - 1] $$;
create schema vault;
create table vault.decrypted_secrets (name text, decrypted_secret text);
create schema net;
create table net.asked (url text, headers jsonb, body jsonb, timeout_milliseconds int);
create function net.http_post(url text, headers jsonb, body jsonb, timeout_milliseconds int)
  returns bigint language sql as
  $$ insert into net.asked values (url, headers, body, timeout_milliseconds); select 1::bigint $$;
create schema cron;
create table cron.job (jobname text, schedule text, command text);
create function cron.schedule(jobname text, schedule text, command text) returns bigint language sql as
  $$ insert into cron.job values (jobname, schedule, command); select 1::bigint $$;
grant usage on schema auth, storage, public to anon, authenticated, service_role;
grant all on storage.objects to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
"""
ROLES = ("anon", "authenticated", "service_role")
HYPER = '{"base_model": "acme/tiny"}'
OURS = uuid.UUID(int=1)
THEIRS = uuid.UUID(int=2)


@pytest.fixture(scope="module")
def migrated(postgres, root):
    """A database as Supabase makes it, with the example's migrations; for the server's own user."""
    url = postgres.fresh()
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ROLES:
            more = " bypassrls" if role == "service_role" else ""
            connection.execute(
                f"do $$ begin create role {role} nologin{more}; exception when duplicate_object then null; end $$"
            )
        connection.execute(BEFORE)
        connection.execute(
            "insert into storage.buckets values ('lora-models', 'lora-models', true)"
        )
        for path in sorted((root / "examples/supabase/migrations").glob("*.sql")):
            text = path.read_text(encoding="utf-8")
            # The extensions' own functions are stood in for above.
            connection.execute(re.sub(r"^create extension.*?;$", "", text, flags=re.MULTILINE))
        connection.execute("insert into auth.users values (%s), (%s)", (OURS, THEIRS))
        yield connection
    postgres.drop(url)
    for role in ROLES:
        postgres.execute(f"drop role {role}")


@pytest.fixture
def database(migrated):
    """Everything is as it was afterwards."""
    with migrated.transaction(force_rollback=True):
        yield migrated


def as_user(database, user, role="authenticated"):
    """From here on statements are a signed-in user's."""
    database.execute("select set_config('request.jwt.claim.sub', %s, true)", (str(user or ""),))
    database.execute(f"set local role {role}")


def insert(database, user=OURS, path=None, **more):
    columns = {
        "user_id": user,
        "dataset_path": path or f"{user}/rows.jsonl",
        "hyperparameters": HYPER,
    }
    columns |= more
    names, places = ", ".join(columns), ", ".join("%s" for _ in columns)
    database.execute(
        f"insert into public.training_jobs ({names}) values ({places})", tuple(columns.values())
    )


def test_a_user_submits_and_sees_her_own(database):
    as_user(database, OURS)
    insert(database)
    (row,) = database.execute("select status, tries, user_id from training_jobs").fetchall()
    assert row == ("queued", 0, OURS)
    as_user(database, THEIRS)
    assert database.execute("select id from training_jobs").fetchall() == []


def test_nobody_who_is_not_signed_in_sees_or_writes(database):
    as_user(database, None, "anon")
    for statement in ("select id from training_jobs", "insert into training_jobs default values"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction():
            database.execute(statement)


@pytest.mark.parametrize(
    "more",
    [
        {"user": THEIRS},
        {"path": f"{THEIRS}/rows.jsonl"},
        {"path": f"{OURS}/../{THEIRS}/rows.jsonl"},
        {"path": f"{OURS}//rows.jsonl"},
        {"path": f"{OURS}/./rows.jsonl"},
        {"path": f"x/{OURS}/rows.jsonl"},
        {"path": f"{OURS}/"},
        {"status": "completed"},
        {"external_job_id": "another-s"},
        {"adapter_path": f"lora-models/adapters/job-{THEIRS}.tar.gz"},
        {"tries": -100},
    ],
)
def test_a_user_can_state_nothing_else(database, more):
    as_user(database, OURS)
    with pytest.raises(psycopg.Error) as caught, database.transaction():
        insert(database, **more)
    assert isinstance(
        caught.value, psycopg.errors.InsufficientPrivilege | psycopg.errors.CheckViolation
    )


@pytest.mark.parametrize(
    "statement",
    ["update training_jobs set status = 'queued'", "delete from training_jobs", "truncate training_jobs",
     "select private.process_training_jobs()", "select * from vault.decrypted_secrets"],
)  # fmt: skip
def test_a_user_changes_nothing_afterwards(database, statement):
    as_user(database, OURS)
    insert(database)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction():
        database.execute(statement)


def test_both_buckets_are_private(database):
    found = database.execute("select id, public from storage.buckets order by id").fetchall()
    assert found == [("lora-models", False), ("training-datasets", False)]
    as_user(database, OURS)
    put = "insert into storage.objects (bucket_id, name) values (%s, %s)"
    database.execute(put, ("training-datasets", f"{OURS}/rows.jsonl"))
    for place in (
        ("training-datasets", f"{THEIRS}/rows.jsonl"),
        ("lora-models", f"{OURS}/a.tar.gz"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), database.transaction():
            database.execute(put, place)


def test_a_new_row_calls_the_function_with_the_key_of_the_vault(database):
    database.execute(
        "insert into vault.decrypted_secrets values ('project_url', 'https://p.example'), "
        "('training_cron_key', 'the-key')"
    )
    as_user(database, OURS)
    insert(database)
    database.execute("reset role")
    ((url, headers, body, timeout),) = database.execute("select * from net.asked").fetchall()
    assert url == "https://p.example/functions/v1/process-training-jobs"
    assert headers["Authorization"] == "Bearer the-key"
    assert (body, timeout) == ({}, 60000)


def test_the_cron_job_calls_it_only_while_there_is_work(database):
    ((name, schedule, command),) = database.execute("select * from cron.job").fetchall()
    assert (name, schedule) == ("process-training-jobs", "30 seconds")
    database.execute(
        "insert into vault.decrypted_secrets values ('project_url', 'u'), ('training_cron_key', 'k')"
    )
    database.execute(command)
    assert database.execute("select count(*) from net.asked").fetchone() == (0,)
    insert(database)  # calls once by itself
    database.execute(command)
    assert database.execute("select count(*) from net.asked").fetchone() == (2,)
    database.execute("update training_jobs set status = 'completed'")
    database.execute(command)
    assert database.execute("select count(*) from net.asked").fetchone() == (2,)


def test_a_row_is_taken_and_settled_by_the_columns_that_the_functions_write(database, root):
    """Every column that a function or the stand-in names is one of the table's."""
    known = {
        name
        for (name,) in database.execute(
            "select column_name from information_schema.columns where table_name = 'training_jobs'"
        )
    }
    rows = (root / "examples/supabase/local/rows.ts").read_text(encoding="utf-8")
    named = re.findall(
        r"^    (\w+):", rows[rows.index("function defaults") : rows.index("STATED")], re.M
    )
    assert set(named) | {"dataset_path", "hyperparameters"} == known
