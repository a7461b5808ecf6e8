-- plan
{"version": 1, "kind": "aggregate", "entity": null, "measures": [{"alias": "ca", "measure": "commande.ca", "aggregate": null, "field": null, "entity": null, "filters": [], "transform": null, "within": null, "label": null, "hidden": false}], "dimensions": [{"alias": "ville", "field": "client.ville", "grain": null, "bins": [], "via": [], "label": null}], "columns": [], "distinct": false, "filters": [], "any_of": [], "related": [], "having": [], "period": {"kind": "calendar", "unit": "month", "offset": null, "number": 11, "year": 2026, "year_offset": null, "count": 1}, "time": null, "comparison": {"kind": "previous_period", "period": null, "show": ["value", "difference", "growth"]}, "order": [{"by": "ca", "descending": false, "part": "difference"}], "limit": null, "limit_per": null, "ties": false, "rollup": null, "ignored_defaults": []}
-- columns
--   ville: dimension, text « Ville »
--   ca: measure, currency « CA »
--   ca_previous: previous, currency, of ca « CA (octobre 2026) »
--   ca_difference: difference, currency, of ca « Écart de CA »
--   ca_growth: growth, percent, of ca « Évolution de CA »
-- notes
--   La période n’est pas terminée ; elle est comparée à toute la période précédente (octobre 2026).
--   La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.
-- postgres
WITH mesures_commande AS (
  SELECT
    client.ville AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-11-01' AS DATE)
    AND commande.jour < CAST('2026-12-01' AS DATE)
  GROUP BY
    client.ville
), mesures_commande_avant AS (
  SELECT
    client.ville AS ville,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    client.ville
), ensemble AS (
  SELECT
    ville,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(ca_previous), 0) AS ca_previous
  FROM (
    SELECT
      ville,
      ca,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      ville,
      NULL AS ca,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    ville
)
SELECT
  ville,
  ca,
  ca_previous,
  ca - ca_previous AS ca_difference,
  CAST(ca - ca_previous AS DOUBLE PRECISION) / NULLIF(ABS(ca_previous), 0) AS ca_growth
FROM ensemble
ORDER BY
  ca_difference ASC,
  ville ASC
-- mysql
WITH mesures_commande AS (
  SELECT
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-11-01' AS DATE)
    AND commande.jour < CAST('2026-12-01' AS DATE)
  GROUP BY
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
), mesures_commande_avant AS (
  SELECT
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS ville,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
), ensemble AS (
  SELECT
    ville,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(ca_previous), 0) AS ca_previous
  FROM (
    SELECT
      ville,
      ca,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      ville,
      NULL AS ca,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    ville
)
SELECT
  ville,
  ca,
  ca_previous,
  ca - ca_previous AS ca_difference,
  CAST(ca - ca_previous AS DOUBLE) / NULLIF(ABS(ca_previous), 0) AS ca_growth
FROM ensemble
ORDER BY
  ca_difference IS NULL ASC,
  ca_difference ASC,
  ville IS NULL ASC,
  ville ASC
-- duckdb
WITH mesures_commande AS (
  SELECT
    client.ville AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-11-01' AS DATE)
    AND commande.jour < CAST('2026-12-01' AS DATE)
  GROUP BY
    client.ville
), mesures_commande_avant AS (
  SELECT
    client.ville AS ville,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    client.ville
), ensemble AS (
  SELECT
    ville,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(ca_previous), 0) AS ca_previous
  FROM (
    SELECT
      ville,
      ca,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      ville,
      NULL AS ca,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    ville
)
SELECT
  ville,
  ca,
  ca_previous,
  ca - ca_previous AS ca_difference,
  CAST(ca - ca_previous AS DOUBLE) / NULLIF(ABS(ca_previous), 0) AS ca_growth
FROM ensemble
ORDER BY
  ca_difference ASC,
  ville ASC
