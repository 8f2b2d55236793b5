-- in_flight: runs that wait and run, of all tenants, and how long they have waited since they were due, in seconds
-- Of runs that have ended nothing is read: the condition is that of the index runs_in_flight.
SELECT count(*) FILTER (WHERE status = 'running') AS running,
       count(*) FILTER (WHERE status = 'pending' AND due_at <= now()) AS pending,
       count(*) FILTER (WHERE status = 'pending' AND due_at > now()) AS delayed,
       count(*) FILTER (WHERE ready AND due_at <= now()) AS claimable,
       (extract(epoch FROM max(now() - due_at) FILTER (WHERE status = 'pending' AND due_at <= now())))::float AS longest,
       (extract(epoch FROM max(now() - due_at) FILTER (WHERE ready AND due_at <= now())))::float AS longest_claimable,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM now() - due_at))
            FILTER (WHERE status = 'pending' AND due_at <= now()))::float AS median
FROM runs
WHERE status IN ('pending', 'running');

-- live_workers: processes that run runs, or could
SELECT count(*) AS workers FROM workers WHERE lease_until > now();

-- newest: how the newest executions of a tenant stand, by status, with the seconds that they waited and took
-- So many of them, by their index: all that there ever were are counted nowhere.
SELECT status, waits, count(*) AS count,
       avg(extract(epoch FROM finished_at - started_at))::float AS mean_seconds,
       avg(extract(epoch FROM started_at - due_at))::float AS mean_waited
FROM (
    SELECT status, waits, started_at, finished_at, due_at
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND continues IS NULL
    ORDER BY seq DESC
    LIMIT %(limit)s
) AS newest
GROUP BY status, waits;
