-- sweep_expired: delete items whose time is over, oldest first, at most `limit`; those that somebody reads are left
DELETE FROM store WHERE ctid IN (
    SELECT ctid FROM store WHERE expires_at < %(now)s ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING 1
