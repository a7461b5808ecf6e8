-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}, {"alias": "cumul", "measure": "commande.ca", "transform": "running_total"}], "dimensions": [{"alias": "mois", "field": "commande.jour", "grain": "month"}], "period": {"kind": "calendar", "unit": "year", "year": 2026}}
-- columns
--   mois: dimension, date, month « Mois »
--   ca: measure, currency « CA »
--   cumul: running_total, currency, of ca « CA (cumul) »
-- notes
--   La période n’est pas terminée : les chiffres vont jusqu’au 22 novembre 2026.
-- postgres
WITH mesures AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', commande.jour) AS DATE)
)
SELECT
  mois,
  ca,
  SUM(ca) OVER (ORDER BY mois ASC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumul
FROM mesures
ORDER BY
  mois ASC
-- mysql
WITH mesures AS (
  SELECT
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE) AS mois,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN' COLLATE utf8mb4_bin
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_FORMAT(commande.jour, '%Y-%m-01') AS DATE)
)
SELECT
  mois,
  ca,
  SUM(ca) OVER (
    ORDER BY mois IS NULL ASC, mois ASC
    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS cumul
FROM mesures
ORDER BY
  mois IS NULL ASC,
  mois ASC
-- duckdb
WITH mesures AS (
  SELECT
    CAST(DATE_TRUNC('month', commande.jour) AS DATE) AS mois,
    SUM(commande.montant) AS ca
  FROM commandes AS commande
  WHERE
    commande.statut <> 'ANN'
    AND commande.jour >= CAST('2026-01-01' AS DATE)
    AND commande.jour < CAST('2027-01-01' AS DATE)
  GROUP BY
    CAST(DATE_TRUNC('month', commande.jour) AS DATE)
)
SELECT
  mois,
  ca,
  SUM(ca) OVER (ORDER BY mois ASC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumul
FROM mesures
ORDER BY
  mois ASC
