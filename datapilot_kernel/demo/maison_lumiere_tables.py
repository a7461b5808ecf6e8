"""Maison Lumière: its tables, as its administrator would have described them.

The grain of each table is the first sentence of its comment. Two keys lead from ``commandes`` to ``magasins`` on purpose
(sold by, collected at): a question that does not say which one has two readings.
"""

from __future__ import annotations

from datapilot_kernel.demo.tables import table

_MONEY = "decimal(12,2)"

CATEGORIES = table(
    "categories",
    "Catégories de produits, regroupées en familles",
    [
        ("id_categorie", "integer", "Identifiant de la catégorie"),
        ("libelle", "text", "Nom de la catégorie"),
        ("famille", "text", "Famille de produits"),
    ],
)

PRODUITS = table(
    "produits",
    "Catalogue des produits",
    [
        ("id_produit", "integer", "Identifiant du produit"),
        ("reference", "text", "Référence commerciale"),
        ("designation", "text", "Désignation du produit"),
        ("id_categorie", "integer", "Catégorie du produit"),
        ("marque", "text", "Marque"),
        ("couleur", "text", "Couleur ou finition (vide si sans objet)"),
        ("prix_vente_ht", "decimal(10,2)", "Prix de vente catalogue HT actuel, en euros"),
        ("cout_achat_ht", "decimal(10,2)", "Coût d'achat HT actuel, en euros"),
        ("poids_kg", "decimal(8,3)", "Poids en kilogrammes (non renseigné pour certains produits)"),
        ("date_lancement", "date", "Date de mise au catalogue"),
        ("actif", "boolean", "Vrai si le produit est encore au catalogue"),
    ],
    {"id_categorie": "categories.id_categorie"},
)

MAGASINS = table(
    "magasins",
    "Points de vente : boutiques, site internet et showroom professionnel",
    [
        ("id_magasin", "integer", "Identifiant du magasin"),
        ("code_magasin", "text", "Code court du magasin"),
        ("nom_magasin", "text", "Nom du magasin"),
        ("type_magasin", "text", "Type : BTQ boutique, WEB site internet, PRO showroom professionnel"),
        ("ville", "text", "Ville du magasin"),
        ("region", "text", "Région du magasin"),
        ("code_postal", "text", "Code postal du magasin"),
        ("surface_m2", "integer", "Surface de vente en m² (vide pour le site internet)"),
        ("date_ouverture", "date", "Date d'ouverture"),
        ("date_fermeture", "date", "Date de fermeture définitive (vide si le magasin est ouvert)"),
    ],
)

COMMERCIAUX = table(
    "commerciaux",
    "Commerciaux : ils suivent les ventes aux professionnels et par téléphone",
    [
        ("id_commercial", "integer", "Identifiant du commercial"),
        ("matricule", "text", "Matricule"),
        ("nom", "text", "Nom de famille"),
        ("prenom", "text", "Prénom"),
        ("equipe", "text", "Équipe commerciale"),
        ("email", "text", "Adresse e-mail professionnelle"),
        ("date_embauche", "date", "Date d'embauche"),
        ("date_sortie", "date", "Date de départ (vide si présent)"),
    ],
)

CLIENTS = table(
    "clients",
    "Clients particuliers et professionnels",
    [
        ("id_client", "integer", "Identifiant du client"),
        ("code_client", "text", "Code du client en comptabilité"),
        ("type_client", "text", "Type : PART particulier, PRO professionnel"),
        ("civilite", "text", "Civilité (particuliers)"),
        ("nom", "text", "Nom de famille, ou raison sociale d'un professionnel"),
        ("prenom", "text", "Prénom (particuliers)"),
        ("segment", "text", "Segment commercial (vide si non qualifié)"),
        ("siret", "text", "Numéro SIRET (professionnels)"),
        ("email", "text", "Adresse e-mail"),
        ("telephone", "text", "Numéro de téléphone"),
        ("adresse", "text", "Adresse postale"),
        ("code_postal", "text", "Code postal"),
        ("ville", "text", "Ville du client (saisie libre : la casse varie)"),
        ("region", "text", "Région du client"),
        ("date_inscription", "date", "Date de création de la fiche client"),
        ("newsletter", "boolean", "Vrai si le client est abonné à la lettre d'information"),
    ],
)

COMMANDES = table(
    "commandes",
    "En-têtes des commandes clients",
    [
        ("id_commande", "integer", "Identifiant de la commande"),
        ("num_commande", "text", "Numéro de commande"),
        ("date_commande", "date", "Date de la commande"),
        ("statut", "text", "Statut : PREP en préparation, EXP expédiée, LIV livrée, ANN annulée"),
        ("canal", "text", "Canal de vente : MAG magasin, WEB site internet, B2B vente aux professionnels, TEL téléphone"),
        ("id_client", "integer", "Client (vide : client de passage non identifié)"),
        ("id_commercial", "integer", "Commercial (vide pour les ventes en magasin et sur le site)"),
        ("id_magasin", "integer", "Magasin de vente"),
        ("id_magasin_retrait", "integer", "Magasin où le client retire sa commande passée sur le site (vide sinon)"),
        ("date_livraison", "date", "Date de livraison ou de remise au client (vide si pas encore livrée)"),
        ("mt_ht", _MONEY, "Montant HT des lignes, en euros"),
        ("mt_tva", _MONEY, "Montant de TVA, en euros"),
        ("mt_ttc", _MONEY, "Montant TTC des lignes, en euros"),
        ("frais_port_ht", _MONEY, "Frais de port HT, en plus du montant des lignes"),
    ],
    {
        "id_client": "clients.id_client",
        "id_commercial": "commerciaux.id_commercial",
        "id_magasin": "magasins.id_magasin",
        "id_magasin_retrait": "magasins.id_magasin",
    },
)

LIGNES = table(
    "lignes_commande",
    "Lignes des commandes : un produit par ligne",
    [
        ("id_ligne", "integer", "Identifiant de la ligne"),
        ("id_commande", "integer", "Commande"),
        ("num_ligne", "integer", "Rang de la ligne dans la commande"),
        ("id_produit", "integer", "Produit"),
        ("statut_ligne", "text", "Statut de la ligne : VAL valide, ANN annulée avec sa commande"),
        ("qte", "integer", "Quantité commandée"),
        ("prix_unitaire_ht", "decimal(10,2)", "Prix unitaire HT avant remise"),
        ("taux_remise", "decimal(5,2)", "Remise en pourcentage (10 veut dire 10 %)"),
        ("mt_ht", _MONEY, "Montant HT de la ligne, remise déduite"),
        ("mt_ttc", _MONEY, "Montant TTC de la ligne, remise déduite"),
        ("mt_cout", _MONEY, "Coût d'achat HT des articles de la ligne"),
    ],
    {"id_commande": "commandes.id_commande", "id_produit": "produits.id_produit"},
)

FACTURES = table(
    "factures",
    "Factures clients, une par commande expédiée ou livrée",
    [
        ("id_facture", "integer", "Identifiant de la facture"),
        ("num_facture", "text", "Numéro de facture"),
        ("id_commande", "integer", "Commande facturée"),
        ("id_client", "integer", "Client facturé (vide : client de passage)"),
        ("date_facture", "date", "Date de la facture"),
        ("date_echeance", "date", "Date d'échéance"),
        ("statut", "text", "Statut : PAY payée, ATT à échoir, IMP impayée (échue et non soldée), ANN annulée"),
        ("mt_ht", _MONEY, "Montant HT, en euros"),
        ("mt_tva", _MONEY, "Montant de TVA, en euros"),
        ("mt_ttc", _MONEY, "Montant TTC, en euros"),
        ("mt_regle", _MONEY, "Montant TTC déjà réglé, en euros"),
    ],
    {"id_commande": "commandes.id_commande", "id_client": "clients.id_client"},
)

REGLEMENTS = table(
    "reglements",
    "Règlements reçus des clients",
    [
        ("id_reglement", "integer", "Identifiant du règlement"),
        ("id_facture", "integer", "Facture réglée"),
        ("date_reglement", "date", "Date du règlement"),
        ("mode_reglement", "text", "Mode : CB carte bancaire, VIR virement, CHQ chèque, ESP espèces, PRLV prélèvement"),
        ("montant", _MONEY, "Montant TTC réglé, en euros"),
        ("delai_jours", "integer", "Nombre de jours entre la date de la facture et le règlement"),
    ],
    {"id_facture": "factures.id_facture"},
)

RETOURS = table(
    "retours",
    "Retours d'articles par les clients",
    [
        ("id_retour", "integer", "Identifiant du retour"),
        ("id_ligne", "integer", "Ligne de commande retournée"),
        ("date_retour", "date", "Date du retour"),
        ("qte_retournee", "integer", "Quantité retournée"),
        (
            "motif",
            "text",
            "Motif : CASSE article cassé, DEFAUT défaut de fabrication, ERREUR erreur de préparation, "
            "AVIS changement d'avis, RETARD livraison tardive (vide si non précisé)",
        ),
    ],
    {"id_ligne": "lignes_commande.id_ligne"},
)

AVOIRS = table(
    "avoirs",
    "Avoirs accordés aux clients, après un retour ou comme geste commercial",
    [
        ("id_avoir", "integer", "Identifiant de l'avoir"),
        ("num_avoir", "text", "Numéro d'avoir"),
        ("id_facture", "integer", "Facture concernée"),
        ("id_retour", "integer", "Retour à l'origine de l'avoir (vide : geste commercial)"),
        ("date_avoir", "date", "Date de l'avoir"),
        ("mt_ht", _MONEY, "Montant HT de l'avoir, positif, en euros"),
        ("mt_ttc", _MONEY, "Montant TTC de l'avoir, positif, en euros"),
    ],
    {"id_facture": "factures.id_facture", "id_retour": "retours.id_retour"},
)

OBJECTIFS = table(
    "objectifs",
    "Objectifs commerciaux mensuels de chaque magasin, connus jusqu'à la fin de l'année en cours",
    [
        ("id_objectif", "integer", "Identifiant de l'objectif"),
        ("id_magasin", "integer", "Magasin"),
        ("mois", "date", "Premier jour du mois"),
        ("objectif_ca_ht", _MONEY, "Objectif de chiffre d'affaires HT du mois, en euros"),
        ("objectif_commandes", "integer", "Objectif de nombre de commandes du mois"),
    ],
    {"id_magasin": "magasins.id_magasin"},
)

STOCKS = table(
    "stocks",
    "Stock en fin de mois de chaque produit dans chaque magasin (photographie : ne s'additionne pas d'un mois à l'autre)",
    [
        ("id_stock", "integer", "Identifiant de la photographie"),
        ("date_stock", "date", "Dernier jour du mois"),
        ("id_magasin", "integer", "Magasin"),
        ("id_produit", "integer", "Produit"),
        ("qte_stock", "integer", "Quantité en stock (0 : rupture)"),
        ("valeur_stock", _MONEY, "Valeur du stock au coût d'achat HT, en euros"),
    ],
    {"id_magasin": "magasins.id_magasin", "id_produit": "produits.id_produit"},
)

TABLES = (
    CATEGORIES, PRODUITS, MAGASINS, COMMERCIAUX, CLIENTS, COMMANDES, LIGNES, FACTURES, REGLEMENTS, RETOURS, AVOIRS,
    OBJECTIFS, STOCKS,
)  # fmt: skip
