-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}], "dimensions": [{"alias": "ville", "field": "client.ville"}], "period": {"kind": "to_date", "unit": "year"}, "order": [{"by": "ca", "descending": true}], "limit": 5}
-- columns
--   ville: dimension, text « Ville »
--   ca: measure, currency « CA »
-- postgres
SELECT
  client.ville AS ville,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
  AND commande.jour >= CAST('2026-01-01' AS DATE)
  AND commande.jour < CAST('2026-11-23' AS DATE)
GROUP BY
  client.ville
ORDER BY
  ca DESC NULLS LAST,
  ville ASC
LIMIT 5
-- mysql
SELECT
  CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS ville,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
  AND commande.jour >= CAST('2026-01-01' AS DATE)
  AND commande.jour < CAST('2026-11-23' AS DATE)
GROUP BY
  CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
ORDER BY
  ca DESC,
  (
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  ville ASC
LIMIT 5
-- duckdb
SELECT
  client.ville AS ville,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
  AND commande.jour >= CAST('2026-01-01' AS DATE)
  AND commande.jour < CAST('2026-11-23' AS DATE)
GROUP BY
  client.ville
ORDER BY
  ca DESC,
  ville ASC
LIMIT 5
