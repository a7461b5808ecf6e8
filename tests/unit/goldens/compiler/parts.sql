-- plan
{"measures": [{"alias": "part", "measure": "commande.ca", "transform": "share"}, {"alias": "dans", "measure": "commande.ca", "transform": "share", "within": "region"}], "dimensions": [{"alias": "region", "field": "region.nom", "via": ["client_region"]}, {"alias": "ville", "field": "client.ville"}], "period": {"kind": "calendar", "unit": "year", "year": 2026}}
-- columns
--   region: dimension, text « Région »
--   ville: dimension, text « Ville »
--   part: share, percent « Part de CA »
--   dans: share, percent « Part de CA »
-- notes
--   La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.
-- postgres
WITH mesures AS (
  SELECT
    region.nom AS region,
    region.id AS region_id,
    client.ville AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    region.nom,
    region.id,
    client.ville
), calculs AS (
  SELECT
    region,
    region_id,
    ville,
    CAST(ca AS DOUBLE PRECISION) / NULLIF(SUM(ca) OVER (), 0) AS part,
    CAST(ca AS DOUBLE PRECISION) / NULLIF(SUM(ca) OVER (PARTITION BY region, region_id), 0) AS dans
  FROM mesures
)
SELECT
  region,
  ville,
  part,
  dans
FROM calculs
ORDER BY
  region ASC,
  region_id ASC,
  ville ASC
-- mysql
WITH mesures AS (
  SELECT
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS region,
    region.id AS region_id,
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    region.id,
    CAST(client.ville AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
), calculs AS (
  SELECT
    region,
    region_id,
    ville,
    CAST(ca AS DOUBLE) / NULLIF(SUM(ca) OVER (), 0) AS part,
    CAST(ca AS DOUBLE) / NULLIF(SUM(ca) OVER (PARTITION BY region, region_id), 0) AS dans
  FROM mesures
)
SELECT
  region,
  ville,
  part,
  dans
FROM calculs
ORDER BY
  region IS NULL ASC,
  region ASC,
  region_id IS NULL ASC,
  region_id ASC,
  ville IS NULL ASC,
  ville ASC
-- duckdb
WITH mesures AS (
  SELECT
    region.nom AS region,
    region.id AS region_id,
    client.ville AS ville,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  LEFT JOIN clients AS client
    ON commande.client_id = client.id
  LEFT JOIN regions AS region
    ON client.region_id = region.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    region.nom,
    region.id,
    client.ville
), calculs AS (
  SELECT
    region,
    region_id,
    ville,
    CAST(ca AS DOUBLE) / NULLIF(SUM(ca) OVER (), 0) AS part,
    CAST(ca AS DOUBLE) / NULLIF(SUM(ca) OVER (PARTITION BY region, region_id), 0) AS dans
  FROM mesures
)
SELECT
  region,
  ville,
  part,
  dans
FROM calculs
ORDER BY
  region ASC,
  region_id ASC,
  ville ASC
