-- hear: somebody listens to a run
UPDATE runs SET heard_at = clock_timestamp()
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND finished_at IS NULL
RETURNING heard_at;

-- hear_on: somebody still listens to these runs; one that is being changed is told of the next time
UPDATE runs SET heard_at = clock_timestamp()
WHERE run_id IN (
    SELECT run_id
    FROM runs
    WHERE tenant_id = %(tenant_id)s AND run_id = ANY (%(run_ids)s) AND finished_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED
);

-- unheard: a run that goes on though nobody has listened to it since
SELECT 1 AS found
FROM runs
WHERE tenant_id = %(tenant_id)s AND run_id = %(run_id)s AND finished_at IS NULL AND heard_at <= %(since)s;
