-- plan
{"version": 1, "kind": "rows", "entity": "client", "measures": [], "dimensions": [], "columns": [{"alias": "ville", "field": "client.ville", "via": [], "label": null}], "distinct": true, "filters": [], "any_of": [], "related": [], "having": [], "period": null, "time": null, "comparison": null, "order": [{"by": "ville", "descending": false, "part": "value"}], "limit": null, "limit_per": null, "ties": false, "rollup": null, "ignored_defaults": []}
-- columns
--   ville: column, text « Ville »
-- postgres
SELECT DISTINCT
  client.ville AS ville
FROM clients AS client
ORDER BY
  ville ASC
-- mysql
WITH lignes_2 AS (
  SELECT DISTINCT
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS ville
  FROM clients AS client
)
SELECT
  ville
FROM lignes_2
ORDER BY
  ville IS NULL ASC,
  ville ASC
-- duckdb
SELECT DISTINCT
  client.ville AS ville
FROM clients AS client
ORDER BY
  ville ASC
