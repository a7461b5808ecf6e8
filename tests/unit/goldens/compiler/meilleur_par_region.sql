-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}], "dimensions": [{"alias": "region", "field": "region.nom", "via": ["client_region"]}, {"alias": "client", "field": "client.nom"}], "limit": 1, "limit_per": "region"}
-- columns
--   region: dimension, text « Région »
--   client: dimension, text « Client »
--   ca: measure, currency « CA »
-- postgres
WITH mesures AS (
  SELECT
    region.nom AS region,
    region.id AS region_id,
    client.nom AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN'
  GROUP BY
    region.nom,
    region.id,
    client.nom,
    client.id
), classement AS (
  SELECT
    region,
    region_id,
    client,
    client_id,
    ca,
    ROW_NUMBER() OVER (
      PARTITION BY region, region_id
      ORDER BY ca DESC NULLS LAST, region ASC, region_id ASC, client ASC, client_id ASC
    ) AS rang
  FROM mesures
)
SELECT
  region,
  client,
  ca
FROM classement
WHERE
  rang <= 1
ORDER BY
  region ASC,
  region_id ASC,
  ca DESC NULLS LAST,
  client ASC,
  client_id ASC
-- mysql
WITH mesures AS (
  SELECT
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS region,
    region.id AS region_id,
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
  GROUP BY
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    region.id,
    CAST(client.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    client.id
), classement AS (
  SELECT
    region,
    region_id,
    client,
    client_id,
    ca,
    ROW_NUMBER() OVER (
      PARTITION BY region, region_id
      ORDER BY ca DESC, region IS NULL ASC, region ASC, region_id IS NULL ASC, region_id ASC, client IS NULL ASC, client ASC, client_id IS NULL ASC, client_id ASC
    ) AS rang
  FROM mesures
)
SELECT
  region,
  client,
  ca
FROM classement
WHERE
  rang <= 1
ORDER BY
  region IS NULL ASC,
  region ASC,
  region_id IS NULL ASC,
  region_id ASC,
  ca DESC,
  client IS NULL ASC,
  client ASC,
  client_id IS NULL ASC,
  client_id ASC
-- duckdb
WITH mesures AS (
  SELECT
    region.nom AS region,
    region.id AS region_id,
    client.nom AS client,
    client.id AS client_id,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN'
  GROUP BY
    region.nom,
    region.id,
    client.nom,
    client.id
), classement AS (
  SELECT
    region,
    region_id,
    client,
    client_id,
    ca,
    ROW_NUMBER() OVER (
      PARTITION BY region, region_id
      ORDER BY ca DESC, region ASC, region_id ASC, client ASC, client_id ASC
    ) AS rang
  FROM mesures
)
SELECT
  region,
  client,
  ca
FROM classement
WHERE
  rang <= 1
ORDER BY
  region ASC,
  region_id ASC,
  ca DESC,
  client ASC,
  client_id ASC
