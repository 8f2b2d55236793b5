-- saved: every checkpoint of a thread, without its values
SELECT checkpoint_ns AS namespace,
       checkpoint_id,
       parent_checkpoint_id AS parent_id,
       metadata ->> 'run_id' AS run_id,
       metadata -> 'parents' ->> '' AS root_id,
       checkpoint -> 'channel_versions' AS versions,
       ARRAY(SELECT value.key FROM jsonb_each(checkpoint -> 'channel_values') AS value
             WHERE value.value <> 'null') AS inline,
       ARRAY(SELECT jsonb_object_keys(metadata -> 'counters_since_delta_snapshot')) AS deltas
FROM checkpoints
WHERE thread_id = %(thread_id)s;

-- stored: the versions of channels that have a value of their own
SELECT checkpoint_ns AS namespace, channel, version
FROM checkpoint_blobs
WHERE thread_id = %(thread_id)s AND type <> 'empty';

-- delete_writes: of the checkpoints named
DELETE FROM checkpoint_writes AS w
USING unnest(%(namespaces)s::text[], %(ids)s::text[]) AS doomed (namespace, id)
WHERE w.thread_id = %(thread_id)s AND w.checkpoint_ns = doomed.namespace AND w.checkpoint_id = doomed.id;

-- delete_checkpoints: those named
DELETE FROM checkpoints AS c
USING unnest(%(namespaces)s::text[], %(ids)s::text[]) AS doomed (namespace, id)
WHERE c.thread_id = %(thread_id)s AND c.checkpoint_ns = doomed.namespace AND c.checkpoint_id = doomed.id;

-- delete_blobs: those named
DELETE FROM checkpoint_blobs AS b
USING unnest(%(namespaces)s::text[], %(channels)s::text[], %(versions)s::text[]) AS freed (namespace, channel, version)
WHERE b.thread_id = %(thread_id)s AND b.checkpoint_ns = freed.namespace AND b.channel = freed.channel
  AND b.version = freed.version;

-- adopt: give checkpoints whose parent is gone another one, or none
UPDATE checkpoints AS c
SET parent_checkpoint_id = adopted.parent
FROM unnest(%(namespaces)s::text[], %(ids)s::text[], %(parents)s::text[]) AS adopted (namespace, id, parent)
WHERE c.thread_id = %(thread_id)s AND c.checkpoint_ns = adopted.namespace AND c.checkpoint_id = adopted.id;

-- threads_of_runs: where runs were that have a row
SELECT run_id::text AS run_id, thread_id::text AS thread_id FROM runs WHERE run_id = ANY (%(run_ids)s::uuid[]);

-- threads_holding_runs: where anything names runs that have no row; reads every checkpoint there is
SELECT DISTINCT thread_id FROM checkpoints WHERE metadata ->> 'run_id' = ANY (%(run_ids)s::text[]);

-- remember_writes: what stood on a checkpoint before a run wrote to it that did not make it
INSERT INTO writes_before_run (run_id, thread_id, checkpoint_ns, checkpoint_id, writes)
SELECT asked.run_id, asked.thread_id, asked.namespace, asked.checkpoint_id, coalesce(jsonb_agg(to_jsonb(w)) FILTER (WHERE w.thread_id IS NOT NULL), '[]')
FROM (SELECT %s::uuid, %s::text, %s::text, %s::text) AS asked (run_id, thread_id, namespace, checkpoint_id)
LEFT JOIN checkpoint_writes AS w
    ON w.thread_id = asked.thread_id AND w.checkpoint_ns = asked.namespace AND w.checkpoint_id = asked.checkpoint_id
GROUP BY asked.run_id, asked.thread_id, asked.namespace, asked.checkpoint_id
ON CONFLICT DO NOTHING;

-- remembered: of these runs, the newest first
DELETE FROM writes_before_run
WHERE thread_id = %(thread_id)s AND run_id = ANY (%(run_ids)s::uuid[])
RETURNING checkpoint_ns AS namespace, checkpoint_id, writes::text AS writes, seq;

-- restore_writes: as they were remembered
INSERT INTO checkpoint_writes
SELECT * FROM jsonb_populate_recordset(NULL::checkpoint_writes, %(writes)s::jsonb);

-- copy_checkpoints: to another thread
INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
SELECT %(target)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints WHERE thread_id = %(source)s
ON CONFLICT DO NOTHING;

-- copy_blobs: to another thread
INSERT INTO checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
SELECT %(target)s, checkpoint_ns, channel, version, type, blob
FROM checkpoint_blobs WHERE thread_id = %(source)s
ON CONFLICT DO NOTHING;

-- copy_writes: to another thread
INSERT INTO checkpoint_writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path)
SELECT %(target)s, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path
FROM checkpoint_writes WHERE thread_id = %(source)s
ON CONFLICT DO NOTHING;

-- count_checkpoints: of a thread
SELECT count(*) AS count FROM checkpoints WHERE thread_id = %(thread_id)s;

-- delete_thread: all that is kept of its state
WITH c AS (DELETE FROM checkpoints WHERE thread_id = %(thread_id)s),
     b AS (DELETE FROM checkpoint_blobs WHERE thread_id = %(thread_id)s),
     w AS (DELETE FROM checkpoint_writes WHERE thread_id = %(thread_id)s)
DELETE FROM writes_before_run WHERE thread_id = %(thread_id)s;

-- size_of_checkpoints: how many, and bytes of their JSON
SELECT count(*) AS count, coalesce(sum(octet_length(checkpoint::text) + octet_length(metadata::text)), 0)::bigint AS bytes
FROM checkpoints WHERE thread_id = %(thread_id)s;

-- size_of_writes: how many, and bytes of their values
SELECT count(*) AS count, coalesce(sum(octet_length(blob)), 0)::bigint AS bytes
FROM checkpoint_writes WHERE thread_id = %(thread_id)s;

-- size_of_channels: versions of each channel and bytes of their values, each version once; the earliest channel first
SELECT v.channel, count(*) AS versions, coalesce(sum(coalesce(octet_length(b.blob), v.inline, 0)), 0)::bigint AS bytes
FROM (
    SELECT c.checkpoint_ns, each.key AS channel, each.value AS version, min(c.checkpoint_id) AS first_id,
           max(octet_length(nullif(c.checkpoint -> 'channel_values' -> each.key, 'null')::text)) AS inline
    FROM checkpoints AS c CROSS JOIN LATERAL jsonb_each_text(c.checkpoint -> 'channel_versions') AS each
    WHERE c.thread_id = %(thread_id)s
    GROUP BY c.checkpoint_ns, each.key, each.value
) AS v
LEFT JOIN checkpoint_blobs AS b
    ON b.thread_id = %(thread_id)s AND b.checkpoint_ns = v.checkpoint_ns AND b.channel = v.channel
    AND b.version = v.version
GROUP BY v.channel
ORDER BY min(first_id), v.channel;
