"""What is sensitive, in words: English, German, French and Spanish.

The subjects are those of which data protection law speaks ("special categories", Article 9 GDPR: health, sex life and
orientation, religion, political opinions, union membership, origin, genetic data) and others that shoppers would not
want to be reminded of in company.

A word stands for itself, in any case of letters and without accents; with ``*`` for every word that begins so; several
words for a phrase. Words that mean something harmless as often are left out: products are judged by their titles, too.
"""

from collections.abc import Mapping
from typing import Final


def _all(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(",") if word.strip())


BUILT_IN: Final[Mapping[str, tuple[str, ...]]] = {
    "sexual_health": _all("""
        sexual*, condom, condoms, lubricant, lubricants, lube, libido, erectile*, erection*, impotence,
        viagra, sildenafil, tadalafil, std test, sti test, hiv, herpes, chlamydia, gonorrhea, syphilis, hpv,
        sexuell*, sexualitat, kondom*, gleitgel*, gleitmittel*, potenz, potenzmittel*, erektion*, impotenz,
        hiv test, geschlechtskrankheit*, vaginal*, scheidenpilz, intimgesundheit,
        sexuel*, preservatif*, lubrifiant*, impuissance, erectile, chlamydiose, mycose vaginale,
        preservativo*, condon, condones, lubricante intimo, lubricantes intimos, disfuncion erectil,
        ereccion,
    """),
    "contraception": _all("""
        contracept*, birth control, morning after pill, plan b pill, spermicide*,
        verhutung*, empfangnisverhutung*, antibabypille*, pille danach, zyklus computer,
        contracepti*, pilule, pilule du lendemain, spermicide,
        anticoncept*, pildora del dia despues, espermicida*,
    """),
    "pregnancy_and_fertility": _all("""
        pregnan*, prenatal, postpartum, postnatal, maternity, fertility, infertility, ovulation, ivf,
        conception aid, breast pump, breastfeeding, lactation, miscarriage, menopause, menstrua*,
        expecting mothers, mom to be,
        schwanger*, umstands*, fruchtbarkeit*, unfruchtbar*, kinderwunsch*, ovulation*, eisprung*, stillen,
        still bh, stillkissen, milchpumpe*, wochenbett*, fehlgeburt*, wechseljahre*, babybauch,
        grossesse*, enceinte, maternite, fertilite, infertilite, allaitement*, tire lait, fausse couche,
        future maman,
        embaraz*, premama, fertilidad, infertilidad, ovulacion, lactancia, sacaleches, aborto, menopausia,
    """),
    "medical_conditions": _all("""
        medication*, medicine, medicines, prescription*, pharmacy, pharmaceutical*, medical, diabet*,
        insulin, glucose meter, cancer, chemotherapy, tumor, tumour, oncology, incontinence, catheter,
        ostomy, stoma, hemorrhoid*, haemorrhoid*, asthma, inhaler, epilepsy, arthritis, psoriasis, eczema,
        migraine, hypertension, dementia, alzheimer*, parkinson*, multiple sclerosis, crohn*, colitis,
        hepatitis, wheelchair*, disability, adult diaper*, antidepressant*, fungal infection, wart, warts,
        scabies, chronic pain, painkiller*, blood pressure monitor*, hearing aid*,
        medikament*, arzneimittel*, rezeptpflichtig*, apothekenpflichtig*, medizinisch*, insulin*, krebs,
        krebstherapie, chemotherapie*, inkontinenz*, katheter*, stomabeutel*, stomaversorgung*, hamorrhoid*,
        asthma*, inhalator*, epilepsie, rheuma*, arthrose*, schuppenflechte, neurodermitis*, migrane*,
        bluthochdruck*, blutdruckmess*, demenz*, rollstuhl*, behinderung*, schmerzmittel*, nagelpilz*,
        fusspilz*, warzen*, kratzmilbe*, horgerat*, krankheit*,
        medicament*, ordonnance, pharmacie*, parapharmacie*, medical*, diabete*, diabetique*, insuline,
        chimiotherapie, stomie, hemorroide*, asthme, inhalateur, arthrose, arthrite, migraine*,
        tensiometre*, demence, fauteuil roulant, fauteuils roulants, handicap*, antidouleur*, mycose*,
        verrue*, appareil auditif, maladie*,
        medicamento*, receta medica, farmacia, parafarmacia, medico, medica, medicos, medicas, diabetes,
        diabetic*, insulina, quimioterapia, incontinencia, cateter, ostomia, hemorroid*, asma, inhalador,
        epilepsia, artritis, artrosis, soriasis, eccema, migrana*, hipertension, tensiometro*, demencia,
        silla de ruedas, sillas de ruedas, discapacidad*, analgesico*, hongos en los pies, verrugas, sarna,
        audifono*, enfermedad*,
    """),
    "mental_health": _all("""
        mental health, depression, anxiety, antidepressant*, bipolar, schizophrenia, ptsd, adhd, autism,
        autistic, eating disorder*, anorexia, bulimia, self harm, suicid*, psychotherap*, psychiatr*,
        trauma therapy, grief,
        psychische gesundheit, depressi*, angststorung*, antidepressiv*, schizophrenie, ptbs, adhs,
        autismus, autist*, essstorung*, magersucht, bulimie, selbstverletzung*, selbstmord*, suizid*,
        burnout,
        sante mentale, depressif*, anxiete, bipolaire, tdah, autisme, autiste*, trouble alimentaire,
        troubles alimentaires, anorexie, boulimie, suicide*,
        salud mental, depresion, ansiedad, antidepresivo*, esquizofrenia, autismo, autista*,
        trastorno alimentario, trastornos alimentarios, suicidio*, psicoterap*, psiquiatr*,
    """),
    "addiction": _all("""
        addiction, addict, addicts, rehab, sobriety, alcoholism, alcoholics, drug test, drug tests, detox,
        opioid*, naloxone, methadone, nicotine, quit smoking, stop smoking, smoking cessation, gambling,
        cannabis, marijuana, cbd,
        suchthilfe, suchtkrank*, alkoholismus, alkoholiker*, drogentest*, drogen, entgiftung*, nikotin*,
        rauchentwohnung*, rauchfrei, spielsucht*, glucksspiel*, marihuana,
        addiction*, alcoolisme, alcoolique*, test de drogue, drogue*, arreter de fumer, sevrage tabagique,
        jeux d argent,
        adiccion*, adicto*, alcoholismo, alcoholico*, test de drogas, drogas, nicotina, dejar de fumar,
        ludopatia,
    """),
    "adult": _all("""
        adult toy*, adults only, adult content, adult entertainment, sex, sex toy*, erotic*, porn*,
        vibrator*, dildo*, fetish*, bdsm, bondage, butt plug*, strap on, masturbat*, xxx, kinky,
        erotik*, erotisch*, sexspielzeug*, sexartikel, fetisch*, analplug*, ab 18 jahren, fsk 18, sextoy*,
        erotique*, jouet sexuel, jouets sexuels, vibromasseur*, godemichet*, gode, fetichis*, pour adultes,
        juguete sexual, juguetes sexuales, vibrador*, consolador*, solo adultos,
    """),
    "sexual_orientation_and_gender": _all("""
        lgbt*, gay, gays, lesbian*, queer, bisexual*, transgender*, transsexual*, pride flag*,
        chest binder*, homosexual*, non binary, gender affirming,
        schwul*, lesbisch*, lesbe*, homosexuell*, transident*, regenbogenflagge*,
        lesbienne*, homosexuel*, transgenre*, drapeau arc en ciel,
        lesbiana*, transgenero*, bandera arcoiris,
    """),
    "religion": _all("""
        religio*, bible, bibles, quran, koran, torah, rosary, rosaries, crucifix*, christian gift*,
        christian book*, christian jewel*, christianity, catholic*, protestant*, islam*, muslim*, jewish,
        judaism, hindu*, buddhis*, prayer*, church, mosque, synagogue, communion, baptism, christening,
        bar mitzvah, bat mitzvah, hijab*, kippah, menorah, devotional*, atheis*,
        bibel*, rosenkranz*, kruzifix*, christlich*, christentum, katholisch*, katholik*, evangelisch*,
        muslimisch*, judisch*, judentum, gebet*, kirche, kirchen, moschee*, synagoge*, kommunion*,
        konfirmation*, taufe, taufkleid*, taufkerze*, kopftuch,
        religieu*, coran, chapelet*, chretien*, catholique*, musulman*, juif, juive*, judaisme, bouddhis*,
        priere*, eglise*, mosquee*, communion*, bapteme*,
        biblia*, rosario*, crucifijo*, cristianismo, catolic*, judio*, judia*, budis*, oracion, oraciones,
        iglesia*, mezquita*, sinagoga*, comunion, bautizo*, bautismo,
    """),
    "politics_and_unions": _all("""
        politic*, election campaign, republican party, democratic party, democrat, democrats, republican,
        republicans, maga, socialis*, communis*, fascis*, trade union*, labor union*, labour union*,
        protest sign*, activis*,
        politik*, politisch*, wahlkampf*, sozialis*, kommunis*, faschis*, gewerkschaft*, partei, parteien,
        aktivis*,
        politique*, campagne electorale, communist*, fascist*, syndicat*, syndicalis*, militant*,
        campana electoral, comunis*, sindicat*, sindicalis*,
    """),
    "origin_and_genetics": _all("""
        dna test*, ancestry test*, genetic test*, paternity test*, skin lightening, skin bleaching,
        skin whitening, immigration, asylum,
        gentest*, vaterschaftstest*, hautaufhellung*, hautbleich*, asylverfahren,
        test adn, test genetique, test de paternite, eclaircissant peau,
        prueba de adn, test de adn, test genetico, prueba de paternidad, aclarante de piel,
    """),
    "childrens_health": _all("""
        pediatric*, paediatric*, head lice, lice, bedwetting, enuresis, child development disorder,
        special needs, infant medicine, baby medicine, teething gel*,
        kinderkrankheit*, lause*, kopflause*, bettnassen, bettnasser*, fieberzapfchen*,
        entwicklungsstorung*, forderbedarf,
        pediatri*, poux, anti poux, enuresie, pipi au lit, trouble du developpement,
        piojos, antipiojos, trastorno del desarrollo, necesidades especiales,
    """),
    "death_and_grief": _all("""
        funeral*, cremation*, coffin*, casket*, burial*, grave, graves, gravestone*, headstone*,
        memorial urn*, cremation urn*, ashes urn*, sympathy gift*, bereavement, condolence*, pet loss,
        mourning,
        bestattung*, beerdigung*, begrabnis*, urne, urnen, sarg, sarge, grabkerze*, grabvase*, grabstein*,
        grablicht*, grabschmuck*, trauer*, kondolenz*, beileid*,
        funeraire*, funerailles, obseques, cercueil*, pierre tombale, condoleance*, deuil,
        funerari*, ataud*, cremacion, lapida, lapidas, condolencia*, pesame, urna funeraria,
    """),
    "weight_loss": _all("""
        weight loss, lose weight, weight management, slimming, fat burner*, fat burning,
        appetite suppressant*, diet pill*, diet pills, diet shake*, obesity, overweight, waist trainer*,
        cellulite,
        abnehmen, abnehm*, gewichtsverlust*, gewichtsreduktion*, schlankheits*, fettverbrenn*, fatburner*,
        appetitzugler*, diatpille*, diatshake*, ubergewicht*, adipositas, cellulite*,
        perte de poids, perdre du poids, maigrir, minceur, amincissant*, brule graisse*, coupe faim,
        obesite, surpoids,
        perdida de peso, perder peso, bajar de peso, adelgaz*, quemagrasas, quema grasas, obesidad,
        sobrepeso, celulitis,
    """),
    "money_trouble": _all("""
        debt relief, bankruptcy, payday loan*, food stamps,
        schulden, schuldenfrei, privatinsolvenz*, insolvenzberatung*,
        surendettement, faillite personnelle,
        deudas, bancarrota,
    """),
    "violence_and_weapons": _all("""
        weapon*, firearm*, handgun*, gun safe*, gun holster*, gun rack*, pistol*, rifle*, ammunition, ammo,
        pepper spray*, stun gun*, domestic violence, self defense spray*, self defence spray*,
        waffe, waffen, schusswaffe*, pistole*, gewehr*, munition, pfefferspray*, elektroschocker*,
        hausliche gewalt,
        arme a feu, armes a feu, pistolet*, fusil*, munitions, bombe lacrymogene, violence conjugale,
        arma de fuego, armas de fuego, pistola*, municion*, spray de pimienta, violencia de genero,
    """),
}  # fmt: skip
