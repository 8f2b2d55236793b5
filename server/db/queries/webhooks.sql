-- claim: deliveries that are due, of any tenant; each comes again after `hold_seconds`, should this process die
UPDATE webhook_deliveries
SET attempt = attempt + 1, due_at = now() + %(hold_seconds)s * interval '1 second'
WHERE delivery_id IN (
    SELECT delivery_id
    FROM webhook_deliveries
    WHERE due_at <= now()
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING delivery_id, tenant_id, run_id, url, body::text AS body, attempt;

-- delete: delivered, or given up
DELETE FROM webhook_deliveries WHERE tenant_id = %(tenant_id)s AND delivery_id = %(delivery_id)s;

-- postpone: tried in vain
UPDATE webhook_deliveries
SET due_at = now() + %(seconds)s * interval '1 second'
WHERE tenant_id = %(tenant_id)s AND delivery_id = %(delivery_id)s;
