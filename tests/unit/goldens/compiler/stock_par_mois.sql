-- plan
{"measures": [{"alias": "s", "measure": "stock.stock"}], "dimensions": [{"alias": "mois", "field": "stock.jour", "grain": "month"}, {"alias": "produit", "field": "produit.nom"}]}
-- columns
--   mois: dimension, date, month « Mois »
--   produit: dimension, text « Produit »
--   s: measure, decimal « Stock »
-- postgres
SELECT
  CAST(DATE_TRUNC('month', stock.jour) AS DATE) AS mois,
  produit.nom AS produit,
  SUM(stock.qte) AS s
FROM (
  SELECT
    stock.*,
    RANK() OVER (
      PARTITION BY CAST(DATE_TRUNC('month', stock.jour) AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete__
  FROM stocks AS stock
  WHERE
    NOT stock.jour IS NULL
) AS stock
LEFT JOIN produits AS produit
  ON stock.produit_id = produit.id
WHERE
  stock.anciennete__ = 1
GROUP BY
  CAST(DATE_TRUNC('month', stock.jour) AS DATE),
  produit.nom,
  produit.id
ORDER BY
  mois ASC,
  produit ASC,
  produit.id ASC
-- mysql
SELECT
  CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE) AS mois,
  CAST(produit.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS produit,
  SUM(stock.qte) AS s
FROM (
  SELECT
    stock.*,
    RANK() OVER (
      PARTITION BY CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete__
  FROM stocks AS stock
  WHERE
    NOT stock.jour IS NULL
) AS stock
LEFT JOIN produits AS produit
  ON stock.produit_id = produit.id
WHERE
  stock.anciennete__ = 1
GROUP BY
  CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE),
  CAST(produit.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin,
  produit.id
ORDER BY
  CAST(DATE_FORMAT(stock.jour, '%Y-%m-01') AS DATE) IS NULL ASC,
  mois ASC,
  (
    CAST(produit.nom AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  produit ASC,
  produit.id IS NULL ASC,
  produit.id ASC
-- duckdb
SELECT
  CAST(DATE_TRUNC('month', stock.jour) AS DATE) AS mois,
  produit.nom AS produit,
  SUM(stock.qte) AS s
FROM (
  SELECT
    stock.*,
    RANK() OVER (
      PARTITION BY CAST(DATE_TRUNC('month', stock.jour) AS DATE)
      ORDER BY CAST(stock.jour AS DATE) DESC
    ) AS anciennete__
  FROM stocks AS stock
  WHERE
    NOT stock.jour IS NULL
) AS stock
LEFT JOIN produits AS produit
  ON stock.produit_id = produit.id
WHERE
  stock.anciennete__ = 1
GROUP BY
  CAST(DATE_TRUNC('month', stock.jour) AS DATE),
  produit.nom,
  produit.id
ORDER BY
  mois ASC,
  produit ASC,
  produit.id ASC
