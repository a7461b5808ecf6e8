-- plan
{"measures": [{"alias": "s", "measure": "stock.stock"}], "dimensions": [{"alias": "mois", "field": "stock.jour", "grain": "month"}, {"alias": "produit", "field": "produit.nom"}]}
-- columns
--   mois: dimension, date, month « Mois »
--   produit: dimension, text « Produit »
--   s: measure, decimal « Stock »
-- postgres
SELECT
  mois AS mois,
  produit AS produit,
  SUM(qte) AS s
FROM (
  SELECT
    CAST(DATE_TRUNC('month', stock.jour) AS DATE) AS mois,
    produit.nom AS produit,
    produit.id AS produit_id,
    stock.qte AS qte,
    RANK() OVER (
      PARTITION BY CAST(DATE_TRUNC('month', stock.jour) AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete
  FROM stocks AS stock
  LEFT JOIN produits AS produit
    ON stock.produit_id = produit.id
  WHERE
    NOT stock.jour IS NULL
) AS dernier
WHERE
  anciennete = 1
GROUP BY
  mois,
  produit,
  produit_id
ORDER BY
  mois ASC,
  produit ASC,
  produit_id ASC
-- mysql
SELECT
  mois AS mois,
  produit AS produit,
  SUM(qte) AS s
FROM (
  SELECT
    CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE) AS mois,
    CAST(produit.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS produit,
    produit.id AS produit_id,
    stock.qte AS qte,
    RANK() OVER (
      PARTITION BY CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete
  FROM stocks AS stock
  LEFT JOIN produits AS produit
    ON stock.produit_id = produit.id
  WHERE
    NOT stock.jour IS NULL
) AS dernier
WHERE
  anciennete = 1
GROUP BY
  mois,
  produit,
  produit_id
ORDER BY
  mois IS NULL ASC,
  mois ASC,
  produit IS NULL ASC,
  produit ASC,
  produit_id IS NULL ASC,
  produit_id ASC
-- duckdb
SELECT
  mois AS mois,
  produit AS produit,
  SUM(qte) AS s
FROM (
  SELECT
    CAST(DATE_TRUNC('month', stock.jour) AS DATE) AS mois,
    produit.nom AS produit,
    produit.id AS produit_id,
    stock.qte AS qte,
    RANK() OVER (
      PARTITION BY CAST(DATE_TRUNC('month', stock.jour) AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete
  FROM stocks AS stock
  LEFT JOIN produits AS produit
    ON stock.produit_id = produit.id
  WHERE
    NOT stock.jour IS NULL
) AS dernier
WHERE
  anciennete = 1
GROUP BY
  mois,
  produit,
  produit_id
ORDER BY
  mois ASC,
  produit ASC,
  produit_id ASC
