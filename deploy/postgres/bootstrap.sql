-- Roles, schemas and rights of one database. Idempotent; run by a superuser (or CREATEROLE + owner of the database).
--
-- Each service <svc> gets
--   razvilka_<svc>_owner  owns schema <svc>, runs the migrations, is not used by the running service;
--   razvilka_<svc>        what the service logs in as: rows of its own schema, no DDL, no other schema.
-- Passwords come from the settings razvilka.<svc>_password and razvilka.<svc>_owner_password, with psql:
--   PGOPTIONS="-c razvilka.auth_password=... -c razvilka.auth_owner_password=... (and so on)" psql -f bootstrap.sql
-- A password that is not given is left as it is.

DO $bootstrap$
DECLARE
    svc text;
    role_name text;
    password text;
BEGIN
    -- Roles belong to the whole server, advisory locks to one database: only the shared catalogue itself keeps two
    -- bootstraps of two databases apart. Logins go on. Where the administrator is no superuser, run one at a time.
    BEGIN
        LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'razvilka: bootstrapping without a lock';
    END;

    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;

    FOREACH svc IN ARRAY ARRAY['auth', 'router', 'usage'] LOOP
        FOREACH role_name IN ARRAY ARRAY['razvilka_' || svc, 'razvilka_' || svc || '_owner'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
                EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role_name);
            END IF;
            password := nullif(current_setting(replace(role_name, 'razvilka_', 'razvilka.') || '_password', true), '');
            IF password IS NOT NULL THEN
                EXECUTE format('ALTER ROLE %I PASSWORD %L', role_name, password);
            END IF;
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
            EXECUTE format('ALTER ROLE %I SET search_path = %I', role_name, svc);
            -- What was answered as stored survives a crash, also on a server that is tuned for speed.
            EXECUTE format('ALTER ROLE %I SET synchronous_commit = on', role_name);
        END LOOP;
        role_name := 'razvilka_' || svc;

        -- A server's administrator that is no superuser must be a member to create objects in the owner's name.
        EXECUTE format('GRANT %I TO CURRENT_USER', role_name || '_owner');
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', svc, role_name || '_owner');
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', svc);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', svc, role_name);

        -- What the migrations will create from now on.
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
            role_name || '_owner', svc, role_name);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE ON SEQUENCES TO %I',
            role_name || '_owner', svc, role_name);
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO %I',
            role_name || '_owner', svc, role_name);
        -- PostgreSQL lets everybody execute a new function; a SECURITY DEFINER one must not be everybody's.
        EXECUTE format(
            'ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', role_name || '_owner');
    END LOOP;
END
$bootstrap$;
