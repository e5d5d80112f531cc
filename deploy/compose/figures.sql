-- What must be found again: the rows of each table, and the micro-roubles of usage and of its daily sums.
SELECT format('SELECT %L, count(*) FROM %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('auth', 'router', 'usage')
ORDER BY n.nspname, c.relname
\gexec
SELECT 'micro-roubles of rows', coalesce(sum(cost) * 1000000, 0)::bigint FROM usage.usage;
SELECT 'micro-roubles of days', coalesce(sum(cost_micro_rub), 0)::bigint FROM usage.rollup_day;
