-- plan
{"measures": [{"alias": "nb", "measure": "commande.nb"}], "dimensions": [{"alias": "tranche", "field": "commande.montant", "bins": ["50", "10"]}]}
-- columns
--   tranche: dimension, text « Montant »
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END AS tranche,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
GROUP BY
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END,
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END
ORDER BY
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END ASC
-- mysql
SELECT
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END AS tranche,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
GROUP BY
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END,
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END
ORDER BY
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END IS NULL ASC,
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END ASC
-- duckdb
SELECT
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END AS tranche,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
GROUP BY
  CASE
    WHEN commande.montant < 10
    THEN 'moins de 10'
    WHEN commande.montant < 50
    THEN 'de 10 à moins de 50'
    WHEN commande.montant >= 50
    THEN '50 et plus'
  END,
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END
ORDER BY
  CASE
    WHEN commande.montant < 10
    THEN 1
    WHEN commande.montant < 50
    THEN 2
    WHEN commande.montant >= 50
    THEN 3
  END ASC
