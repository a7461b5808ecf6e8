-- plan
{"kind": "rows", "entity": "client", "columns": [{"alias": "nom", "field": "client.nom"}], "filters": [{"field": "client.ville", "op": "not_in", "values": ["Lyon", "Paris"]}]}
-- columns
--   nom: column, text « Client »
-- postgres
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  (
    NOT client.ville IN ('Lyon', 'Paris') OR client.ville IS NULL
  )
ORDER BY
  client.id
-- mysql
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  (
    NOT client.ville IN ('Lyon' COLLATE utf8mb4_bin, 'Paris' COLLATE utf8mb4_bin)
    OR client.ville IS NULL
  )
ORDER BY
  client.id
-- duckdb
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  (
    NOT client.ville IN ('Lyon', 'Paris') OR client.ville IS NULL
  )
ORDER BY
  client.id
