-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "dimensions": [{"alias": "client", "field": "client.nom"}], "order": [{"by": "nb", "descending": true}]}
-- columns
--   client: dimension, text « Client »
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  client.nom AS client,
  COUNT(*) AS nb
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  client.nom,
  client.id
ORDER BY
  nb DESC NULLS LAST,
  client ASC,
  client.id ASC
-- mysql
SELECT
  CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS client,
  COUNT(*) AS nb
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
GROUP BY
  CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
  client.id
ORDER BY
  nb DESC,
  (
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  client ASC,
  client.id IS NULL ASC,
  client.id ASC
-- duckdb
SELECT
  client.nom AS client,
  COUNT(*) AS nb
FROM commandes AS commande
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  client.nom,
  client.id
ORDER BY
  nb DESC,
  client ASC,
  client.id ASC
