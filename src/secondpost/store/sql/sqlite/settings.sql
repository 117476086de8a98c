-- get_setting: one document.
SELECT sealed FROM setting WHERE kind = ? AND name = ?;

-- all_settings: all documents of a kind.
SELECT name, sealed FROM setting WHERE kind = ? ORDER BY name;

-- put_setting: a new document, or a new value of it.
INSERT INTO setting (kind, name, sealed) VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET sealed = excluded.sealed;

-- delete_setting: returns a row when there was one.
DELETE FROM setting WHERE kind = ? AND name = ? RETURNING 1;
