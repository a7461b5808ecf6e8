-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}], "dimensions": [{"alias": "facture", "field": "client.ville", "via": ["client_facture"]}, {"alias": "livre", "field": "client.ville", "via": ["client_livre"]}], "period": {"kind": "calendar", "unit": "month", "number": 10, "year": 2026}}
-- columns
--   facture: dimension, text « Ville »
--   livre: dimension, text « Ville »
--   ca: measure, currency « CA »
-- postgres
SELECT
  client.ville AS facture,
  client_livre.ville AS livre,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
LEFT JOIN clients AS client_livre
  ON commande.livre_id = client_livre.id
WHERE
  commande.statut <> 'ANN'
  AND commande.jour >= CAST('2026-10-01' AS DATE)
  AND commande.jour < CAST('2026-11-01' AS DATE)
GROUP BY
  client.ville,
  client_livre.ville
ORDER BY
  facture ASC,
  livre ASC
-- mysql
SELECT
  CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS facture,
  CAST(client_livre.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS livre,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
LEFT JOIN clients AS client_livre
  ON commande.livre_id = client_livre.id
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
  AND commande.jour >= CAST('2026-10-01' AS DATE)
  AND commande.jour < CAST('2026-11-01' AS DATE)
GROUP BY
  CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
  CAST(client_livre.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
ORDER BY
  (
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  facture ASC,
  (
    CAST(client_livre.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  livre ASC
-- duckdb
SELECT
  client.ville AS facture,
  client_livre.ville AS livre,
  SUM(commande.montant) AS ca
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
LEFT JOIN clients AS client_livre
  ON commande.livre_id = client_livre.id
WHERE
  commande.statut <> 'ANN'
  AND commande.jour >= CAST('2026-10-01' AS DATE)
  AND commande.jour < CAST('2026-11-01' AS DATE)
GROUP BY
  client.ville,
  client_livre.ville
ORDER BY
  facture ASC,
  livre ASC
