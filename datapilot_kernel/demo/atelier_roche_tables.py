"""Atelier Roche: its tables, in the words of a workshop (OF, rebuts, arrêts)."""

from __future__ import annotations

from datapilot_kernel.demo.tables import table

TABLES = (
    table(
        "clients",
        "Donneurs d'ordres de l'atelier",
        [
            ("id_client", "integer", "Identifiant du client"),
            ("raison_sociale", "text", "Raison sociale"),
            ("secteur", "text", "Secteur d'activité"),
            ("ville", "text", "Ville"),
            ("code_postal", "text", "Code postal"),
            ("departement", "text", "Département"),
            ("client_depuis", "date", "Date de la première affaire"),
        ],
    ),
    table(
        "machines",
        "Machines de l'atelier",
        [
            ("id_machine", "integer", "Identifiant de la machine"),
            ("code_machine", "text", "Code affiché sur la machine"),
            ("nom_machine", "text", "Nom de la machine"),
            ("type_machine", "text", "Type : TOUR tournage, FRAI fraisage, RECT rectification, SCIE débit, CTRL contrôle"),
            ("ilot", "text", "Îlot de l'atelier"),
            ("date_mise_service", "date", "Date de mise en service"),
            ("taux_horaire", "decimal(8,2)", "Coût horaire de la machine, en euros"),
        ],
    ),
    table(
        "operateurs",
        "Opérateurs de l'atelier",
        [
            ("id_operateur", "integer", "Identifiant de l'opérateur"),
            ("matricule", "text", "Matricule"),
            ("nom", "text", "Nom de famille"),
            ("prenom", "text", "Prénom"),
            ("qualification", "text", "Qualification"),
            ("equipe", "text", "Équipe : M matin, AM après-midi, N nuit"),
            ("date_entree", "date", "Date d'entrée dans l'entreprise"),
            ("date_sortie", "date", "Date de départ (vide si présent)"),
        ],
    ),
    table(
        "pieces",
        "Pièces fabriquées",
        [
            ("id_piece", "integer", "Identifiant de la pièce"),
            ("ref_piece", "text", "Référence de la pièce"),
            ("designation", "text", "Désignation"),
            ("famille", "text", "Famille de pièces"),
            ("matiere", "text", "Matière (vide si fournie par le client)"),
            ("poids_kg", "decimal(8,3)", "Poids unitaire en kilogrammes"),
            ("prix_unitaire_ht", "decimal(10,2)", "Prix de vente unitaire HT, en euros"),
            ("cout_standard", "decimal(10,2)", "Coût de revient standard unitaire, en euros"),
        ],
    ),
    table(
        "devis",
        "Devis envoyés aux clients",
        [
            ("id_devis", "integer", "Identifiant du devis"),
            ("num_devis", "text", "Numéro du devis"),
            ("id_client", "integer", "Client"),
            ("date_devis", "date", "Date d'envoi du devis"),
            ("date_reponse", "date", "Date de réponse du client (vide si sans réponse)"),
            ("statut", "text", "Statut : ENC en cours, ACC accepté, REF refusé, EXP expiré sans réponse"),
            ("mt_ht", "decimal(12,2)", "Montant HT du devis, en euros"),
            ("delai_semaines", "integer", "Délai proposé, en semaines"),
        ],
        {"id_client": "clients.id_client"},
    ),
    table(
        "ordres_fabrication",
        "Ordres de fabrication (OF) : une pièce, un client, une machine principale",
        [
            ("id_of", "integer", "Identifiant de l'OF"),
            ("num_of", "text", "Numéro d'OF"),
            ("id_devis", "integer", "Devis d'origine (vide : commande récurrente)"),
            ("id_client", "integer", "Client"),
            ("id_piece", "integer", "Pièce fabriquée"),
            ("id_machine", "integer", "Machine principale"),
            ("id_operateur", "integer", "Opérateur responsable"),
            ("date_lancement", "date", "Date de lancement"),
            ("date_fin_prevue", "date", "Date de fin prévue"),
            ("date_fin_reelle", "date", "Date de fin réelle (vide si non terminé)"),
            ("statut", "text", "Statut : LAN lancé, TER terminé, ANN annulé"),
            ("qte_prevue", "integer", "Quantité à produire"),
            ("qte_bonne", "integer", "Quantité de pièces bonnes produites"),
            ("heures_prevues", "decimal(8,2)", "Temps prévu, en heures"),
            ("heures_reelles", "decimal(8,2)", "Temps passé, en heures"),
            ("mt_ht", "decimal(12,2)", "Valeur HT des pièces bonnes, en euros"),
            ("jours_retard", "integer", "Jours de retard sur la date prévue (0 : à l'heure ; vide si non terminé)"),
        ],
        {
            "id_devis": "devis.id_devis",
            "id_client": "clients.id_client",
            "id_piece": "pieces.id_piece",
            "id_machine": "machines.id_machine",
            "id_operateur": "operateurs.id_operateur",
        },
    ),
    table(
        "rebuts",
        "Pièces mises au rebut pendant un OF",
        [
            ("id_rebut", "integer", "Identifiant de la déclaration"),
            ("id_of", "integer", "Ordre de fabrication"),
            ("date_rebut", "date", "Date de la déclaration"),
            ("qte_rebut", "integer", "Quantité de pièces rebutées"),
            (
                "cause",
                "text",
                "Cause : COTE hors cote, ETAT état de surface, MAT défaut matière, CASSE casse d'outil "
                "(vide si non précisée)",
            ),
            ("cout", "decimal(10,2)", "Coût des pièces rebutées, en euros"),
        ],
        {"id_of": "ordres_fabrication.id_of"},
    ),
    table(
        "arrets",
        "Arrêts des machines",
        [
            ("id_arret", "integer", "Identifiant de l'arrêt"),
            ("id_machine", "integer", "Machine arrêtée"),
            ("debut", "timestamp", "Début de l'arrêt"),
            ("fin", "timestamp", "Fin de l'arrêt (vide si l'arrêt dure encore)"),
            ("duree_min", "integer", "Durée de l'arrêt en minutes (vide si l'arrêt dure encore)"),
            (
                "type_arret",
                "text",
                "Type : PAN panne, MAI maintenance préventive, REG réglage, MAT manque de matière, OPE absence d'opérateur",
            ),
            ("commentaire", "text", "Commentaire de l'opérateur"),
        ],
        {"id_machine": "machines.id_machine"},
    ),
)
