-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}, {"alias": "objectif", "measure": "objectif.objectif"}, {"alias": "taux", "measure": "commande.par_objectif"}], "dimensions": [{"alias": "mois", "field": "commande.jour", "grain": "month"}, {"alias": "region", "field": "region.nom", "via": ["client_region"]}], "period": {"kind": "calendar", "unit": "year", "year": 2026}}
-- columns
--   mois: dimension, date, month « Mois »
--   region: dimension, text « Région »
--   ca: measure, currency « CA »
--   objectif: measure, decimal « Objectif »
--   taux: measure, decimal « Réalisation »
-- notes
--   La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.
-- postgres
WITH mesures_commande AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    region.nom AS region,
    region.id AS region_id,
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
    CAST(DATE_TRUNC('month', commande.jour) AS DATE),
    region.nom,
    region.id
), mesures_objectif AS (
  SELECT
    CAST(DATE_TRUNC('month', objectif.mois) AS DATE) AS mois,
    region.nom AS region,
    region.id AS region_id,
    SUM(objectif.montant) AS objectif
  FROM objectifs AS objectif
  LEFT JOIN regions AS region
    ON objectif.region_id = region.id
  WHERE
    objectif.mois >= CAST('2026-01-01' AS DATE)
    AND objectif.mois < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', objectif.mois) AS DATE),
    region.nom,
    region.id
), ensemble AS (
  SELECT
    mois,
    region,
    region_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(objectif), 0) AS objectif
  FROM (
    SELECT
      mois,
      region,
      region_id,
      ca,
      NULL AS objectif
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      region,
      region_id,
      NULL AS ca,
      objectif
    FROM mesures_objectif
  ) AS reunion
  GROUP BY
    mois,
    region,
    region_id
), calculs AS (
  SELECT
    mois,
    region,
    region_id,
    ca,
    objectif,
    CAST(ca AS DOUBLE PRECISION) / NULLIF(objectif, 0) AS taux
  FROM ensemble
)
SELECT
  mois,
  region,
  ca,
  objectif,
  taux
FROM calculs
ORDER BY
  mois ASC,
  region ASC,
  region_id ASC
-- mysql
WITH mesures_commande AS (
  SELECT
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE) AS mois,
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS region,
    region.id AS region_id,
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
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE),
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    region.id
), mesures_objectif AS (
  SELECT
    CAST(DATE_FORMAT(objectif.mois, '%Y-%m-01') AS DATE) AS mois,
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS region,
    region.id AS region_id,
    SUM(objectif.montant) AS objectif
  FROM objectifs AS objectif
  LEFT JOIN regions AS region
    ON objectif.region_id = region.id
  WHERE
    objectif.mois >= CAST('2026-01-01' AS DATE)
    AND objectif.mois < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_FORMAT(objectif.mois, '%Y-%m-01') AS DATE),
    CAST(region.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    region.id
), ensemble AS (
  SELECT
    mois,
    region,
    region_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(objectif), 0) AS objectif
  FROM (
    SELECT
      mois,
      region,
      region_id,
      ca,
      NULL AS objectif
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      region,
      region_id,
      NULL AS ca,
      objectif
    FROM mesures_objectif
  ) AS reunion
  GROUP BY
    mois,
    region,
    region_id
), calculs AS (
  SELECT
    mois,
    region,
    region_id,
    ca,
    objectif,
    CAST(ca AS DOUBLE) / NULLIF(objectif, 0) AS taux
  FROM ensemble
)
SELECT
  mois,
  region,
  ca,
  objectif,
  taux
FROM calculs
ORDER BY
  mois IS NULL ASC,
  mois ASC,
  region IS NULL ASC,
  region ASC,
  region_id IS NULL ASC,
  region_id ASC
-- duckdb
WITH mesures_commande AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    region.nom AS region,
    region.id AS region_id,
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
    CAST(DATE_TRUNC('month', commande.jour) AS DATE),
    region.nom,
    region.id
), mesures_objectif AS (
  SELECT
    CAST(DATE_TRUNC('month', objectif.mois) AS DATE) AS mois,
    region.nom AS region,
    region.id AS region_id,
    SUM(objectif.montant) AS objectif
  FROM objectifs AS objectif
  LEFT JOIN regions AS region
    ON objectif.region_id = region.id
  WHERE
    objectif.mois >= CAST('2026-01-01' AS DATE)
    AND objectif.mois < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', objectif.mois) AS DATE),
    region.nom,
    region.id
), ensemble AS (
  SELECT
    mois,
    region,
    region_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(objectif), 0) AS objectif
  FROM (
    SELECT
      mois,
      region,
      region_id,
      ca,
      NULL AS objectif
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      region,
      region_id,
      NULL AS ca,
      objectif
    FROM mesures_objectif
  ) AS reunion
  GROUP BY
    mois,
    region,
    region_id
), calculs AS (
  SELECT
    mois,
    region,
    region_id,
    ca,
    objectif,
    CAST(ca AS DOUBLE) / NULLIF(objectif, 0) AS taux
  FROM ensemble
)
SELECT
  mois,
  region,
  ca,
  objectif,
  taux
FROM calculs
ORDER BY
  mois ASC,
  region ASC,
  region_id ASC
