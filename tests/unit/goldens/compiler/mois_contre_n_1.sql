-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}], "dimensions": [{"alias": "mois", "field": "commande.jour", "grain": "month"}], "period": {"kind": "calendar", "unit": "year", "year": 2026}, "comparison": {"kind": "previous_year", "show": ["value"]}}
-- columns
--   mois: dimension, date, month « Mois »
--   ca: measure, currency « CA »
--   ca_previous: previous, currency, of ca « CA (N-1) »
-- notes
--   La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.
-- postgres
WITH mesures_commande AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    SUM(commande.montant) AS ca,
    1 AS courant
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', commande.jour) AS DATE)
), mesures_commande_avant AS (
  SELECT
    CAST(CAST(DATE_TRUNC('month', commande.jour) AS DATE) + INTERVAL '12 MONTH' AS DATE) AS mois,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2025-01-01' AS DATE)
    AND commande.jour < CAST('2025-11-23' AS DATE)
  GROUP BY
    CAST(CAST(DATE_TRUNC('month', commande.jour) AS DATE) + INTERVAL '12 MONTH' AS DATE)
), ensemble AS (
  SELECT
    mois,
    COALESCE(MAX(ca), 0) AS ca,
    MAX(courant) AS courant,
    MAX(ca_previous) AS ca_previous
  FROM (
    SELECT
      mois,
      ca,
      courant,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      NULL AS ca,
      NULL AS courant,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    mois
)
SELECT
  mois,
  ca,
  ca_previous
FROM ensemble
WHERE
  courant = 1
ORDER BY
  mois ASC
-- mysql
WITH mesures_commande AS (
  SELECT
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE) AS mois,
    SUM(commande.montant) AS ca,
    1 AS courant
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE)
), mesures_commande_avant AS (
  SELECT
    CAST(CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE) + INTERVAL '12' MONTH AS DATE) AS mois,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2025-01-01' AS DATE)
    AND commande.jour < CAST('2025-11-23' AS DATE)
  GROUP BY
    CAST(CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE) + INTERVAL '12' MONTH AS DATE)
), ensemble AS (
  SELECT
    mois,
    COALESCE(MAX(ca), 0) AS ca,
    MAX(courant) AS courant,
    MAX(ca_previous) AS ca_previous
  FROM (
    SELECT
      mois,
      ca,
      courant,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      NULL AS ca,
      NULL AS courant,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    mois
)
SELECT
  mois,
  ca,
  ca_previous
FROM ensemble
WHERE
  courant = 1
ORDER BY
  mois IS NULL ASC,
  mois ASC
-- duckdb
WITH mesures_commande AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    SUM(commande.montant) AS ca,
    1 AS courant
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', commande.jour) AS DATE)
), mesures_commande_avant AS (
  SELECT
    CAST(CAST(DATE_TRUNC('month', commande.jour) AS DATE) + INTERVAL '12' MONTH AS DATE) AS mois,
    SUM(commande.montant) AS ca_previous
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2025-01-01' AS DATE)
    AND commande.jour < CAST('2025-11-23' AS DATE)
  GROUP BY
    CAST(CAST(DATE_TRUNC('month', commande.jour) AS DATE) + INTERVAL '12' MONTH AS DATE)
), ensemble AS (
  SELECT
    mois,
    COALESCE(MAX(ca), 0) AS ca,
    MAX(courant) AS courant,
    MAX(ca_previous) AS ca_previous
  FROM (
    SELECT
      mois,
      ca,
      courant,
      NULL AS ca_previous
    FROM mesures_commande
    UNION ALL
    SELECT
      mois,
      NULL AS ca,
      NULL AS courant,
      ca_previous
    FROM mesures_commande_avant
  ) AS reunion
  GROUP BY
    mois
)
SELECT
  mois,
  ca,
  ca_previous
FROM ensemble
WHERE
  courant = 1
ORDER BY
  mois ASC
