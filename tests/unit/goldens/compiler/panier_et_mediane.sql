-- plan
{"measures": [{"alias": "panier", "measure": "commande.panier"}, {"alias": "mediane", "measure": "commande.mediane"}], "dimensions": [{"alias": "magasin", "field": "magasin.nom"}], "period": {"kind": "calendar", "unit": "month", "offset": -1}}
-- columns
--   magasin: dimension, text « Magasin »
--   panier: measure, decimal « Panier moyen »
--   mediane: measure, decimal « Médiane »
-- postgres
WITH mesures_commande AS (
  SELECT
    magasin.nom AS magasin,
    magasin.id AS magasin_id,
    SUM(commande.montant) AS ca,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN magasins AS magasin
    ON commande.magasin_id = magasin.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    magasin.nom,
    magasin.id
), mesures_commande_2 AS (
  SELECT
    magasin.nom AS magasin,
    magasin.id AS magasin_id,
    PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY
      commande.montant) AS mediane
  FROM commandes AS commande
  LEFT JOIN magasins AS magasin
    ON commande.magasin_id = magasin.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    magasin.nom,
    magasin.id
), ensemble AS (
  SELECT
    magasin,
    magasin_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(nb), 0) AS nb,
    MAX(mediane) AS mediane
  FROM (
    SELECT
      magasin,
      magasin_id,
      ca,
      nb,
      NULL AS mediane
    FROM mesures_commande
    UNION ALL
    SELECT
      magasin,
      magasin_id,
      NULL AS ca,
      NULL AS nb,
      mediane
    FROM mesures_commande_2
  ) AS reunion
  GROUP BY
    magasin,
    magasin_id
), calculs AS (
  SELECT
    magasin,
    magasin_id,
    CAST(ca AS DOUBLE PRECISION) / NULLIF(nb, 0) AS panier,
    mediane
  FROM ensemble
)
SELECT
  magasin,
  panier,
  mediane
FROM calculs
ORDER BY
  magasin ASC,
  magasin_id ASC
-- mysql
WITH mesures_commande AS (
  SELECT
    CAST(magasin.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS magasin,
    magasin.id AS magasin_id,
    SUM(commande.montant) AS ca,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN magasins AS magasin
    ON commande.magasin_id = magasin.id
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    CAST(magasin.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
    magasin.id
), mesures_commande_2 AS (
  SELECT
    magasin AS magasin,
    magasin_id AS magasin_id,
    AVG(
      CASE WHEN 2 * place BETWEEN nombre AND nombre + 2 THEN CAST(valeur AS DOUBLE) END
    ) AS mediane
  FROM (
    SELECT
      magasin,
      magasin_id,
      valeur,
      ROW_NUMBER() OVER (PARTITION BY magasin, magasin_id ORDER BY valeur IS NULL ASC, valeur) AS place,
      COUNT(valeur) OVER (PARTITION BY magasin, magasin_id) AS nombre
    FROM (
      SELECT
        CAST(magasin.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS magasin,
        magasin.id AS magasin_id,
        commande.montant AS valeur
      FROM commandes AS commande
      LEFT JOIN magasins AS magasin
        ON commande.magasin_id = magasin.id
      WHERE
        commande.statut <> 'ANN' COLLATE utf8mb4_bin
        AND commande.jour >= CAST('2026-10-01' AS DATE)
        AND commande.jour < CAST('2026-11-01' AS DATE)
    ) AS valeurs
  ) AS places
  GROUP BY
    magasin,
    magasin_id
), ensemble AS (
  SELECT
    magasin,
    magasin_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(nb), 0) AS nb,
    MAX(mediane) AS mediane
  FROM (
    SELECT
      magasin,
      magasin_id,
      ca,
      nb,
      NULL AS mediane
    FROM mesures_commande
    UNION ALL
    SELECT
      magasin,
      magasin_id,
      NULL AS ca,
      NULL AS nb,
      mediane
    FROM mesures_commande_2
  ) AS reunion
  GROUP BY
    magasin,
    magasin_id
), calculs AS (
  SELECT
    magasin,
    magasin_id,
    CAST(ca AS DOUBLE) / NULLIF(nb, 0) AS panier,
    mediane
  FROM ensemble
)
SELECT
  magasin,
  panier,
  mediane
FROM calculs
ORDER BY
  magasin IS NULL ASC,
  magasin ASC,
  magasin_id IS NULL ASC,
  magasin_id ASC
-- duckdb
WITH mesures_commande AS (
  SELECT
    magasin.nom AS magasin,
    magasin.id AS magasin_id,
    SUM(commande.montant) AS ca,
    COUNT(*) AS nb
  FROM commandes AS commande
  LEFT JOIN magasins AS magasin
    ON commande.magasin_id = magasin.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    magasin.nom,
    magasin.id
), mesures_commande_2 AS (
  SELECT
    magasin.nom AS magasin,
    magasin.id AS magasin_id,
    QUANTILE_CONT(CAST(commande.montant AS DOUBLE), 0.5
    ORDER BY
      CAST(commande.montant AS DOUBLE)) AS mediane
  FROM commandes AS commande
  LEFT JOIN magasins AS magasin
    ON commande.magasin_id = magasin.id
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-10-01' AS DATE)
    AND commande.jour < CAST('2026-11-01' AS DATE)
  GROUP BY
    magasin.nom,
    magasin.id
), ensemble AS (
  SELECT
    magasin,
    magasin_id,
    COALESCE(MAX(ca), 0) AS ca,
    COALESCE(MAX(nb), 0) AS nb,
    MAX(mediane) AS mediane
  FROM (
    SELECT
      magasin,
      magasin_id,
      ca,
      nb,
      NULL AS mediane
    FROM mesures_commande
    UNION ALL
    SELECT
      magasin,
      magasin_id,
      NULL AS ca,
      NULL AS nb,
      mediane
    FROM mesures_commande_2
  ) AS reunion
  GROUP BY
    magasin,
    magasin_id
), calculs AS (
  SELECT
    magasin,
    magasin_id,
    CAST(ca AS DOUBLE) / NULLIF(nb, 0) AS panier,
    mediane
  FROM ensemble
)
SELECT
  magasin,
  panier,
  mediane
FROM calculs
ORDER BY
  magasin ASC,
  magasin_id ASC
